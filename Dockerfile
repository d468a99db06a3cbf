# One image per process, each with only the packages its process imports. `docker compose build` makes them all.

FROM python:3.11-slim-bookworm AS python
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app

# ---- packages: hash-locked, installed beside each other, compiled once --------------------------------------------------------
FROM python AS installer
COPY requirements/installer.txt requirements/
RUN pip install --quiet --no-cache-dir --require-hashes -r requirements/installer.txt && python -m venv --without-pip /venv
# pandas and numpy carry their own tests, a third of their weight.
RUN printf '#!/bin/sh\nfind /venv/lib -type d -name tests -prune -exec rm -rf {} +\n' >/usr/local/bin/strip-packages && chmod +x /usr/local/bin/strip-packages
ENV UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_REQUIRE_HASHES=1 VIRTUAL_ENV=/venv

FROM installer AS market-data-packages
COPY requirements/market-data.txt requirements/
RUN uv pip install --quiet -r requirements/market-data.txt && strip-packages

FROM installer AS decision-packages
COPY requirements/decision.txt requirements/
RUN uv pip install --quiet -r requirements/decision.txt && strip-packages

FROM installer AS execution-packages
COPY requirements/execution.txt requirements/
RUN uv pip install --quiet -r requirements/execution.txt && strip-packages

FROM installer AS sandbox-packages
COPY requirements/sandbox.txt requirements/
RUN uv pip install --quiet -r requirements/sandbox.txt && strip-packages

FROM installer AS archive-packages
COPY requirements/archive.txt requirements/
RUN uv pip install --quiet -r requirements/archive.txt && strip-packages

FROM installer AS dashboard-packages
COPY requirements/dashboard.txt requirements/
RUN uv pip install --quiet -r requirements/dashboard.txt && strip-packages

FROM installer AS cli-packages
COPY requirements/cli.txt requirements/
RUN uv pip install --quiet -r requirements/cli.txt && strip-packages

# ---- what every image shares --------------------------------------------------------------------------------------------------
FROM python AS application
COPY shared shared
COPY services/__init__.py services/__init__.py
RUN python -m compileall -q shared services
ENV PYTHONDONTWRITEBYTECODE=1

# ---- the images: a user of its own each, so that none can read another's credentials -------------------------------------------
FROM application AS market-data
COPY --from=market-data-packages /venv /venv
COPY services/market_data services/market_data
RUN python -m compileall -q services
USER 10001:10001
CMD ["python", "-m", "services.market_data"]

FROM application AS decision
COPY --from=decision-packages /venv /venv
COPY services/decision services/decision
RUN python -m compileall -q services
USER 10002:10002
CMD ["python", "-m", "services.decision"]

FROM application AS execution
COPY --from=execution-packages /venv /venv
COPY services/execution services/execution
RUN python -m compileall -q services
USER 10003:10003
CMD ["python", "-m", "services.execution"]

FROM application AS archive
COPY --from=archive-packages /venv /venv
COPY services/archive services/archive
# A named volume takes over the owner of the folder it is mounted on.
RUN python -m compileall -q services && install -d -o 10004 -g 10004 /journal
USER 10004:10004
CMD ["python", "-m", "services.archive"]

FROM application AS sandbox
COPY --from=sandbox-packages /venv /venv
COPY services/sandbox services/sandbox
RUN python -m compileall -q services
USER 10007:10007
CMD ["python", "-m", "services.sandbox"]

FROM application AS cli
COPY --from=cli-packages /venv /venv
COPY services/cli services/cli
# What these have decided is made again by their own functions.
COPY services/market_data services/market_data
COPY services/decision services/decision
COPY services/execution services/execution
RUN python -m compileall -q services
USER 10006:10006
ENTRYPOINT ["python", "-m", "services.cli"]

# The browser's libraries come from npm here, never from a content network in the browser.
FROM node:20-bookworm-slim AS page
WORKDIR /page
COPY dashboard/package.json dashboard/package-lock.json dashboard/vendor.mjs ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && node vendor.mjs

FROM application AS dashboard
COPY --from=dashboard-packages /venv /venv
COPY dashboard dashboard
COPY --from=page /page/static/vendor dashboard/static/vendor
RUN python -m compileall -q dashboard && install -d -m 0700 -o 10005 -g 10005 /accounts
USER 10005:10005
CMD ["python", "-m", "dashboard"]
