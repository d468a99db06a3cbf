from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import respx
import stamina
from pydantic import SecretStr

from services.market_data.sources import taapi
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import KEY, settings
from tests.services.market_data.stands import Stand
from tests.services.market_data.vendor import Vendor


@contextmanager
def behind() -> Iterator[None]:
    yield


@contextmanager
def stand(_behind: None) -> Iterator[Stand]:
    clock = ManualClock(FRIDAY + timedelta(seconds=3))
    url = "https://api.taapi.test"
    with respx.mock(assert_all_called=False) as router, stamina.set_testing(True, attempts=2, cap=True):
        vendor = Vendor(clock, router, url)

        def down() -> None:
            vendor.instead = lambda _request: httpx.Response(502, html="<title>502 Bad Gateway</title>")

        source = taapi.create(settings(taapi_api_key=SecretStr(KEY), taapi_base_url=url, taapi_plan="expert"), clock)
        yield Stand(source, clock, ("BTC/USD", "AAPL"), Timeframe("5m"), down)
