"""Every error a trader can meet, in one tree.

TradingError                    expected trouble: logged with its symbol, shown, and the loop goes on
├── ConfigurationInvalid        a setting is unknown, missing or malformed; the process does not start
├── FactInvalid                 a fact is malformed, forged or misplaced
│   └── SchemaTooNew            written by a newer version than this reader knows
├── BusError
│   ├── BusUnavailable          Redis is down, frozen, loading or unreachable
│   ├── BusFull                 Redis is at its memory limit; entries stop first
│   ├── BusDenied               the credentials may not do this
│   ├── RevisionConflict        somebody else changed it first
│   └── FenceLost               a newer active process has taken over
├── DataError                   no usable market data; nothing is decided on it
│   ├── SourceUnavailable       the provider is down or answers nonsense; another source may serve
│   ├── SourceRefused           wrong key, plan does not cover it; trying again does not help
│   ├── RateLimited             the provider's budget is spent; carries the wait
│   ├── DataMalformed           not a number, out of range, missing field
│   ├── DataStale               older than it may be, or from the future
│   └── DataUnfinished          the bar has not closed
├── EngineError                 becomes an abstention
│   ├── EngineUnavailable       model missing, unreachable, breaker open
│   ├── AnswerLate              after its deadline
│   └── AnswerInvalid           not what was asked for
└── BrokerError
    ├── BrokerUnavailable       certainly not sent, or a read failed; asking again is safe
    ├── BrokerDenied            wrong key, blocked account
    ├── OrderRefused            the broker said no; carries its code
    ├── OrderNotFound           the broker does not know this order
    └── OrderUnknown            it may or may not have been accepted: ask by client order id, never send again
"""

from __future__ import annotations


class TradingError(Exception):
    """Expected trouble. `code` is stable and machine-readable, the text is for people."""

    code = "trading_error"

    def __init__(self, text: str, *, symbol: str | None = None) -> None:
        super().__init__(text)
        self.symbol = symbol


class ConfigurationInvalid(TradingError):
    code = "configuration_invalid"


class FactInvalid(TradingError):
    code = "fact_invalid"


class SchemaTooNew(FactInvalid):
    code = "schema_too_new"


class BusError(TradingError):
    code = "bus_error"


class BusUnavailable(BusError):
    code = "bus_unavailable"


class BusFull(BusError):
    code = "bus_full"


class BusDenied(BusError):
    code = "bus_denied"


class RevisionConflict(BusError):
    """`current` is the revision that stands."""

    code = "revision_conflict"

    def __init__(self, text: str, *, current: int, symbol: str | None = None) -> None:
        super().__init__(text, symbol=symbol)
        self.current = current


class FenceLost(BusError):
    code = "fence_lost"


class DataError(TradingError):
    code = "data_error"


class SourceUnavailable(DataError):
    code = "source_unavailable"


class SourceRefused(DataError):
    code = "source_refused"


class RateLimited(DataError):
    """`retry_after_seconds` is the provider's wait, or our own when it names none."""

    code = "rate_limited"

    def __init__(self, text: str, *, retry_after_seconds: float, symbol: str | None = None) -> None:
        super().__init__(text, symbol=symbol)
        self.retry_after_seconds = retry_after_seconds


class DataMalformed(DataError):
    code = "data_malformed"


class DataStale(DataError):
    code = "data_stale"


class DataUnfinished(DataError):
    code = "data_unfinished"


class EngineError(TradingError):
    code = "engine_error"


class EngineUnavailable(EngineError):
    code = "engine_unavailable"


class AnswerLate(EngineError):
    code = "answer_late"


class AnswerInvalid(EngineError):
    code = "answer_invalid"


class BrokerError(TradingError):
    code = "broker_error"


class BrokerUnavailable(BrokerError):
    """`retry_after_seconds` is set where the broker named a wait (429)."""

    code = "broker_unavailable"

    def __init__(self, text: str, *, symbol: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(text, symbol=symbol)
        self.retry_after_seconds = retry_after_seconds


class BrokerDenied(BrokerError):
    code = "broker_denied"


class OrderRefused(BrokerError):
    """`reason` is ours: insufficient_funds, insufficient_quantity, wash_trade, too_small, not_tradable, invalid, other."""

    code = "order_refused"

    def __init__(self, text: str, *, reason: str = "other", symbol: str | None = None) -> None:
        super().__init__(text, symbol=symbol)
        self.reason = reason


class OrderNotFound(BrokerError):
    code = "order_not_found"


class OrderUnknown(BrokerError):
    code = "order_unknown"
