"""The market of a small world: bars and quotes of a random walk, and what every process tells of itself."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from shared.domain.decisions import ModelState
from shared.domain.fact import Fact, fact_id
from shared.domain.market import Bar, FeedState, Market, Quote, Timeframe, Venue
from shared.domain.trading import Configuration, Heartbeat

STARTS = {
    "BTC/USD": 64_210.5,
    "ETH/USD": 3_120.4,
    "AAPL": 228.4,
    "MSFT": 415.3,
    "SOL/USD": 148.2,
    "DOGE/USD": 0.1371,
    "NVDA": 131.7,
    "AMZN": 186.9,
}

def symbols_of(number: int) -> list[str]:
    """The well-known ones first, then invented tickers."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [*STARTS, *(f"{letters[index // 26]}{letters[index % 26]}Q" for index in range(200))][:number]


class MarketSide:
    """`publish(topic, fact)` takes every fact."""

    def __init__(
        self,
        publish: Callable[[str, Fact], None],
        symbols: Iterable[str] = ("BTC/USD", "ETH/USD", "AAPL", "MSFT"),
        *,
        timeframe: str = "5s",
        seed: int = 7,
        live: bool = False,
        simulated: bool = True,
    ) -> None:
        self.publish_raw = publish
        self.symbols = list(symbols)
        self.timeframe = Timeframe(timeframe)
        self.random = random.Random(seed)
        self.live, self.simulated = live, simulated
        self.lock = threading.RLock()
        self.numbers = count(1)
        self.closes = {symbol: [STARTS.get(symbol, self.random.uniform(20, 400))] for symbol in self.symbols}
        self.at = self.timeframe.floor(datetime.now(UTC))

    def publish(self, topic: str, fact: Fact) -> None:
        self.publish_raw(topic, fact)

    def stamp(self, at: datetime | None = None) -> dict[str, object]:
        now = datetime.now(UTC)
        return {"at": at or now, "made_at": now, "simulated": self.simulated, "config": "a1b2c3d4e5f6"}

    def bar(self, symbol: str) -> Bar:
        opened = self.closes[symbol][-1]
        close = opened * (1 + self.random.gauss(0, 0.0016))
        wick = abs(self.random.gauss(0, 0.0008))
        self.closes[symbol] = [*self.closes[symbol][-120:], close]
        return Bar(
            id=fact_id("bar", symbol, self.timeframe, self.at),
            symbol=symbol,
            timeframe=self.timeframe,
            open=opened,
            close=close,
            high=max(opened, close) * (1 + wick),
            low=min(opened, close) * (1 - wick),
            volume=round(self.random.uniform(1, 90), 3),
            origin="sandbox",
            **self.stamp(self.at),
        )
    def quote(self, symbol: str) -> None:
        price = self.closes[symbol][-1] * (1 + self.random.gauss(0, 0.0003))
        self.closes[symbol][-1] = price
        digits = 2 if price > 10 else 6
        spread = price * 0.0001
        self.publish(
            "quote",
            Quote(
                id=f"quote|{symbol}|{next(self.numbers)}",
                symbol=symbol,
                bid=Decimal(str(round(price - spread, digits))),
                ask=Decimal(str(round(price + spread, digits))),
                last=Decimal(str(round(price, digits))),
                feed="sandbox",
                **self.stamp(),
            ),
        )

    def beat(self) -> None:
        """A heartbeat of every process, the market's hours, the model's state."""
        for process in ("market_data", "decision", "execution", "archive", "sandbox"):
            self.publish(
                "heartbeat",
                Heartbeat(
                    id=f"heartbeat|{process}|{next(self.numbers)}",
                    process=process,
                    replica=f"{process}-1",
                    version="0.1.0",
                    state="running",
                    started_at=datetime.now(UTC) - timedelta(minutes=7),
                    memory_mib=81.4 + len(process),
                    queue_depth=0,
                    counters={"facts": 4_210.0, "errors": 0.0},
                    **self.stamp(),
                ),
            )
        close = datetime.now(UTC) + timedelta(hours=2, minutes=14)
        feed = FeedState(name="sandbox", state="closed", symbols=len(self.symbols), budget="sandbox: 100 requests in 15 s", left=97)
        hours = Venue(session="regular", next_close=close)
        self.publish("market", Market(id=f"market|{next(self.numbers)}", stocks=hours, feeds=(feed,), **self.stamp()))
        self.model("ready")

    def model(self, phase: str, **more: object) -> None:
        given = {"latency_ms": 1_240.0, "processor": "cpu"} if phase == "ready" else {}
        self.publish(
            "model", ModelState(id=f"model|{next(self.numbers)}", phase=phase, model="llama3.2:3b", **given, **more, **self.stamp())
        )  # type: ignore[arg-type]

    def configure(self) -> None:
        limits = {
            "max_position_percent": "20.0",
            "max_exposure_percent": "80.0",
            "max_daily_loss_percent": "3.0",
            "max_drawdown_percent": "10.0",
            "max_orders_per_minute": 30,
            "stop_loss_percent": "2.0",
            "take_profit_percent": "4.0",
            "alpaca_api_key": "absent",
        }
        for process, settings in {
            "execution": {**limits, "broker": "sandbox", "trading_mode": "live" if self.live else "paper"},
            "decision": {"engines": "rules:1,llm:1", "ollama_model": "llama3.2:3b"},
            "market_data": {"source": ["sandbox"], "taapi_api_key": "absent"},
        }.items():
            self.publish(
                "config", Configuration(id=f"config|{process}", process=process, version="0.1.0", settings=settings, **self.stamp())
            )
