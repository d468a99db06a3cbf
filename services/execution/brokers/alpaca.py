"""Alpaca through alpaca-py, whose clients block: a few threads that send, two that ask, one for the stream of updates.

alpaca-py's own retry of order posts is off, every request has a socket timeout, quantities and prices travel as plain decimal strings, and
answers are read raw, since its closed enums break on a new status. Live needs TRADING_MODE=live, whatever the keys are.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from requests.exceptions import RequestException

from services.execution.broker import (
    BrokerAccount,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerQuote,
    CashFlow,
    LastLook,
    Memory,
    Update,
)
from services.execution.brokers import _alpaca_answers as answers
from services.execution.brokers import _alpaca_errors as errors
from services.execution.brokers._alpaca_client import APIError, RESTClient, TradingClient, TradingStream
from services.execution.brokers._alpaca_orders import ABILITIES, order_body
from services.execution.brokers._http import BoundedSession, looking, was_sent
from services.execution.settings import ExecutionSettings
from shared.domain.errors import BrokerDenied, BrokerUnavailable, ConfigurationInvalid, OrderNotFound, OrderUnknown, TradingError
from shared.domain.fact import asset_class
from shared.domain.market import Market, Quote
from shared.domain.orders import OrderTerms
from shared.domain.portfolio import TradingMode
from shared.runtime.logging import get_logger
from shared.trading.instruments import Asset

T = TypeVar("T")
URLS = {"paper": "https://paper-api.alpaca.markets", "live": "https://api.alpaca.markets"}
DATA_URL = "https://data.alpaca.markets"
CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0
PAGE = 500
CRYPTO_LIST_LIFE = timedelta(hours=1)
# Deposits, withdrawals, and what moves between accounts.
FLOWS = "CSD,CSW,TRANS,JNLC"


def connect(settings: ExecutionSettings) -> AlpacaBroker:
    """Raises ConfigurationInvalid for missing keys, and where the address and TRADING_MODE disagree."""
    key, secret, mode = settings.alpaca_api_key, settings.alpaca_api_secret, settings.trading_mode
    if key is None or secret is None:
        raise ConfigurationInvalid("BROKER: alpaca needs ALPACA_API_KEY and ALPACA_API_SECRET")
    base = settings.alpaca_base_url or URLS[mode]
    base = base.removesuffix("/v2")  # the vendor's page shows it with /v2, its client adds that itself
    other = "live" if mode == "paper" else "paper"
    if base == URLS[other]:
        raise ConfigurationInvalid(f"ALPACA_BASE_URL: is the {other} address, TRADING_MODE is {mode}; live trading needs TRADING_MODE=live")
    return AlpacaBroker(
        key=key.get_secret_value(),
        secret=secret.get_secret_value(),
        mode=mode,
        base_url=base,
        data_url=settings.alpaca_data_url or DATA_URL,
        stream_url=settings.alpaca_stream_url or stream_url(base),
    )


def stream_url(base_url: str) -> str:
    return base_url.replace("http", "ws", 1) + "/stream"


class AlpacaBroker:
    """See `broker.Broker`. Times out after `read_seconds`; connections idle for `idle_seconds` are opened anew."""

    def __init__(
        self,
        *,
        key: str,
        secret: str,
        mode: TradingMode,
        base_url: str,
        data_url: str,
        stream_url: str,
        name: str = "alpaca",
        read_seconds: float = READ_SECONDS,
        idle_seconds: float = 30.0,
    ) -> None:
        self.name, self.mode, self.abilities = name, mode, ABILITIES
        self._keys = (key, secret)
        self._urls = (base_url, data_url, stream_url)
        self._waits = (CONNECT_SECONDS, read_seconds, idle_seconds)
        self._of_thread = threading.local()
        self._sending = ThreadPoolExecutor(ABILITIES.lanes, thread_name_prefix=f"{name}-send")
        self._asking = ThreadPoolExecutor(2, thread_name_prefix=f"{name}-ask")
        self._assets: dict[str, Asset] = {}
        self._crypto_listed_at: float | None = None

    # ---- threads ---------------------------------------------------------------------------------------------------------------
    def _client(self) -> TradingClient:
        """The calling thread's own: the library's session is not made for several."""
        if not hasattr(self._of_thread, "client"):
            key, secret = self._keys
            trading = TradingClient(key, secret, paper=self.mode == "paper", raw_data=True, url_override=self._urls[0])
            data = RESTClient(self._urls[1], key, secret, raw_data=True)
            for one, url in ((trading, self._urls[0]), (data, self._urls[1])):
                # The library offers no argument for either: see its RESTClient.
                one._session = self._session(url)  # noqa: SLF001
                one._retry = 0  # noqa: SLF001
            self._of_thread.client, self._of_thread.data = trading, data
        client: TradingClient = self._of_thread.client
        return client

    def _session(self, url: str) -> BoundedSession:
        connect_seconds, read_seconds, idle_seconds = self._waits
        return BoundedSession(url, connect=connect_seconds, read=read_seconds, idle=idle_seconds)

    async def _ask(self, what: str, request: Callable[[TradingClient], Any], parse: Callable[[Any], T]) -> T:
        def work() -> T:
            try:
                answer = request(self._client())
            except (APIError, RequestException) as error:
                raise errors.reading(error, what) from None
            return answers.read(what, answer, parse)  # here: a list of five hundred orders would hold up those that are sent

        return await self._run(self._asking, work)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except RuntimeError as error:
            if "shutdown" in str(error):  # the pool was closed while a caller still waited for its turn
                raise BrokerUnavailable("the connection to the broker is closed") from None
            raise

    def _data(self, path: str, version: str, **parameters: str) -> Any:
        self._client()
        return self._of_thread.data.get(path, parameters, api_version=version)

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    async def account(self) -> BrokerAccount:
        return await self._ask("account", lambda client: client.get("/account"), answers.account)

    async def clock(self) -> BrokerClock:
        return await self._ask("clock", lambda client: client.get("/clock"), answers.clock)

    async def asset(self, symbol: str) -> Asset | None:
        kind = asset_class(symbol)
        if kind in self.abilities.unsupported:
            return None
        if kind == "crypto":
            await self._list_crypto()
            return self._assets.get(symbol)
        try:
            return await self._ask("asset", lambda client: client.get(f"/assets/{symbol}"), answers.asset)
        except OrderNotFound:
            return None

    async def _list_crypto(self) -> None:
        """As a list: a slash in the path of a single one is not found."""
        now = asyncio.get_running_loop().time()
        if self._crypto_listed_at is not None and now - self._crypto_listed_at < CRYPTO_LIST_LIFE.total_seconds():
            return
        found = await self._ask(
            "assets", lambda client: client.get("/assets", {"asset_class": "crypto", "status": "active"}), answers.each(answers.asset)
        )
        self._assets = {one.symbol: one for one in found}
        self._crypto_listed_at = now

    async def quote(self, symbol: str) -> BrokerQuote | None:
        def request(_client: TradingClient) -> Any:
            if asset_class(symbol) == "crypto":
                return self._data("/crypto/us/latest/quotes", "v1beta3", symbols=symbol)
            return self._data("/stocks/quotes/latest", "v2", symbols=symbol, feed="iex")

        def parse(answer: Any) -> BrokerQuote | None:
            raw = (answer.get("quotes") or {}).get(symbol)
            return answers.quote(raw) if raw else None

        return await self._ask("quote", request, parse)

    async def positions(self) -> list[BrokerPosition]:
        return await self._ask("positions", lambda client: client.get("/positions"), answers.each(answers.position))

    async def order(self, order_id: str) -> BrokerOrder:
        return await self._ask("order", lambda client: client.get(f"/orders/{order_id}", {"nested": "true"}), answers.order)

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        wanted = {"client_order_id": client_order_id}
        return await self._ask("order", lambda client: client.get("/orders:by_client_order_id", wanted), answers.order)

    async def open_orders(self) -> list[BrokerOrder]:
        wanted = {"status": "open", "limit": str(PAGE), "nested": "true", "direction": "asc"}
        found = await self._ask("open orders", lambda client: client.get("/orders", wanted), answers.each(answers.order))
        # A group whose parent is filled comes as its legs, one whose parent waits as the parent with its legs.
        flat = {one.order_id: one for told in found for one in told.flat()}
        return [one for one in flat.values() if one.open]

    async def orders_since(self, at: datetime) -> list[BrokerOrder]:
        found: dict[str, BrokerOrder] = {}
        after = at
        while True:
            wanted = {"status": "all", "limit": str(PAGE), "nested": "true", "direction": "asc", "after": after.isoformat()}
            page = await self._ask("orders", lambda client, wanted=wanted: client.get("/orders", wanted), answers.each(answers.order))  # type: ignore[misc]
            new = [told for told in page if told.order_id not in found]
            found |= {one.order_id: one for told in page for one in told.flat()}
            submitted = [told.submitted_at for told in page if told.submitted_at]
            if len(page) < PAGE or not new or not submitted:
                return list(found.values())
            # Those of the same instant come again and are known by their ids.
            after = max(submitted) - timedelta(milliseconds=1)

    async def fills_since(self, at: datetime) -> list[BrokerFill]:
        rows = await self._activities("FILL", at)
        return [one for one in answers.read("fills", rows, answers.each(answers.fill)) if one.at >= at]

    async def cash_flows_since(self, at: datetime) -> list[CashFlow]:
        rows = await self._activities(FLOWS, at)
        return [one for one in answers.read("cash flows", rows, answers.each(answers.cash_flow)) if one.at >= at]

    async def _activities(self, kinds: str, after: datetime) -> list[Any]:
        rows: list[Any] = []
        token = ""
        while True:
            wanted = {"activity_types": kinds, "after": after.isoformat(), "direction": "asc", "page_size": "100"}
            if token:
                wanted["page_token"] = token
            page = await self._ask("activities", lambda client, wanted=wanted: client.get("/account/activities", wanted), list)  # type: ignore[misc]
            rows += page
            if len(page) < 100 or str(page[-1].get("id")) == token:
                return rows
            token = str(page[-1].get("id"))

    async def split_since(self, symbol: str, at: datetime) -> Decimal:
        if asset_class(symbol) != "stock":
            return Decimal(1)
        wanted = {"symbols": symbol, "types": "forward_split,reverse_split", "start": at.date().isoformat()}
        try:
            return await self._ask(
                "corporate actions",
                lambda _client: self._data("/corporate-actions", "v1", **wanted),
                lambda answer: answers.splits(answer, at),
            )
        except (OrderNotFound, BrokerDenied):  # not in every data plan
            return Decimal(1)

    # ---- changing --------------------------------------------------------------------------------------------------------------
    async def submit(self, symbol: str, terms: OrderTerms, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        body = order_body(symbol, terms, client_order_id)

        def work() -> Any:
            client = self._client()
            try:
                with looking(last_look):
                    return client.post("/orders", body)
            except (APIError, RequestException) as error:
                raise errors.sending(error, sent=was_sent(), symbol=symbol) from None

        answer = await self._run(self._sending, work)
        try:
            return answers.read("answer to an order", answer, answers.order)
        except BrokerUnavailable as error:  # accepted, and then nonsense
            raise OrderUnknown(str(error), symbol=symbol) from None

    async def cancel(self, order_id: str) -> None:
        def work() -> None:
            try:
                self._client().delete(f"/orders/{order_id}")
            except (APIError, RequestException) as error:
                status, _ = errors.body_of(error)
                if status != 422:  # over already
                    raise errors.reading(error, "cancel") from None

        await self._run(self._asking, work)

    async def suspend(self) -> None:
        await self._suspended(True)

    async def resume(self) -> None:
        await self._suspended(False)

    async def _suspended(self, suspended: bool) -> None:
        await self._ask("suspend", lambda client: client.patch("/account/configurations", {"suspend_trade": suspended}), lambda _: None)

    def market(self, fact: Quote | Market) -> None:
        pass

    def recall(self, memory: Memory) -> None:
        pass

    # ---- the stream ------------------------------------------------------------------------------------------------------------
    async def updates(self) -> AsyncIterator[Update]:
        told: asyncio.Queue[Update] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(update: Update) -> None:
            loop.call_soon_threadsafe(told.put_nowait, update)

        stream = _Stream(self._keys, self._urls[2], paper=self.mode == "paper", tell=tell)
        thread = threading.Thread(target=stream.run, name=f"{self.name}-stream", daemon=True)
        thread.start()
        try:
            while True:
                yield await told.get()
        finally:
            stream.end()

    async def close(self) -> None:
        for pool in (self._sending, self._asking):
            pool.shutdown(wait=False, cancel_futures=True)


class _Stream(TradingStream):
    """alpaca-py's stream on a thread of its own. It never replays, so every (re)connection is told as well."""

    def __init__(self, keys: tuple[str, str], url: str, *, paper: bool, tell: Callable[[Update], None]) -> None:
        # Its own ping would notice a dead connection after three minutes.
        watch = {"ping_interval": 5, "ping_timeout": 10, "max_queue": 1024}
        super().__init__(*keys, paper=paper, raw_data=True, url_override=url, websocket_params=watch)
        self._tell = tell
        self._ended = False
        self._log = get_logger("execution.stream")
        self.subscribe_trade_updates(self._on_message)

    async def _start_ws(self) -> None:
        await super()._start_ws()  # type: ignore[no-untyped-call]
        self._say(Update(connected=True))

    async def _on_message(self, message: Any) -> None:
        try:
            update = answers.read("trade update", message, answers.update)
        except TradingError as error:
            # The library would swallow it; asking anew finds what it told.
            self._log.warning(error.code, detail=str(error))
            update = Update(connected=True)
        self._say(update)

    def _say(self, update: Update) -> None:
        try:
            self._tell(update)
        except RuntimeError:  # our loop has ended
            self._ended = True

    def end(self) -> None:
        self._ended = True
        loop: asyncio.AbstractEventLoop | None = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._finish(), loop)

    async def _finish(self) -> None:
        await self.stop_ws()
        await self.close()
