"""One file for whoever helps: what the page shows, without secrets, addresses and the account's number."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from typing import Any

from flask import Blueprint, Response, redirect
from flask.typing import ResponseReturnValue

from dashboard.answers import Refusal
from dashboard.api.audit import changes
from dashboard.auth import identity
from dashboard.desk import Desk, desk
from dashboard.snapshots import snapshot_of
from dashboard.wire import dumps
from shared.bus.port import Bus, Ref
from shared.bus.topics import INTENT, MODEL, ORDER, OUTCOME, TRADING_EFFECTIVE, Topic
from shared.domain.errors import BusError
from shared.domain.fact import iso
from shared.runtime.logging import Redact
from shared.runtime.process import VERSION

blueprint = Blueprint("support", __name__)
NEWEST = 100  # entries of each history
HISTORIES: tuple[Topic[Any], ...] = (OUTCOME, INTENT, ORDER, TRADING_EFFECTIVE, MODEL)
_BY = re.compile(r'("(?:by|lifted_by|ended_by|changed_by)":"[^"@]*)@[^"]*"')


@blueprint.get("/system/support.zip")
def support() -> ResponseReturnValue:
    who = identity()
    if who is None:
        return redirect("/login?next=/system")
    if "read" not in who.scopes:
        raise Refusal(403, "scope", f"the token {who.name} may not read")
    here = desk()
    headers = {"Content-Disposition": f'attachment; filename="tradermagic-support-{here.clock.now():%Y-%m-%d}.zip"'}
    return Response(packed(contents(here)), headers=headers, mimetype="application/zip")


def contents(here: Desk) -> dict[str, str]:
    """By file name. What Redis does not give now is said to be missing."""
    about = {"made_at": iso(here.clock.now()), "version": VERSION, "python": sys.version.split()[0], "platform": sys.platform}
    files = {"about.json": dumps(about), "snapshot.json": snapshot_of(here, 0)}
    try:
        files |= here.portal.call(_histories, seconds=10)
    except BusError as error:
        files["missing.txt"] = f"The histories could not be read: {error}\n"
    files["metrics.txt"] = here.meter.text().decode()
    redact = redaction(here)
    return {name: redact(text) for name, text in files.items()}


def redaction(here: Desk) -> Any:
    secrets, account = Redact(here.settings.secrets()), here.board.account

    def redact(text: str) -> str:
        text = _BY.sub(r'\1@hidden"', secrets.text(text))
        return text.replace(account.account, f"account-{account.account[-4:]}") if account and len(account.account) > 4 else text

    return redact


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


async def _histories(bus: Bus) -> dict[str, str]:
    files = {}
    for topic in HISTORIES:
        lines = []
        for ref in await bus.histories(topic):
            entries = await bus.history(Ref(topic, ref.symbol, ref.part), newest_first=True, limit=NEWEST)
            lines += [entry.fact.encode() for entry in entries]
        files[f"{topic.name}.jsonl"] = "\n".join(lines) + "\n"
    audit, _ = await changes(bus, limit=500)
    files["audit.jsonl"] = "\n".join(f'{{"topic":"{ref.topic.name}","fact":{entry.fact.encode()}}}' for ref, entry in audit) + "\n"
    return files
