"""TAAPI's indicators by their names, with the vendor's parameters, defaults and field names, computed with TA-Lib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import talib

from services.sandbox.prices.history import Floats
from services.sandbox.prices.tape import Bars

Fields = dict[str, Floats]
Parameters = Mapping[str, Any]
_DAY = 86_400


class ParameterInvalid(ValueError):
    """A parameter is no number or out of its range; the text is for the client."""


def compute(name: str, bars: Bars, parameters: Parameters) -> Fields:
    """Values for every bar, NaN where there are too few bars before it. Raises KeyError for an unknown name, ParameterInvalid."""
    return INDICATORS[name](bars, parameters)


def _whole(parameters: Parameters, name: str, default: int, least: int = 1) -> int:
    value = _real(parameters, name, default)
    if value != int(value) or not least <= value <= 1_000:
        raise ParameterInvalid(f"{name} must be a whole number from {least} to 1000")
    return int(value)


def _real(parameters: Parameters, name: str, default: float) -> float:
    given = parameters.get(name, default)
    try:
        value = float(given)
    except (TypeError, ValueError):
        raise ParameterInvalid(f"{name} must be a number") from None
    if not 0 < value < 1e6:
        raise ParameterInvalid(f"{name} must be above 0")
    return value


def _value(values: Any) -> Fields:
    return {"value": values}


def _macd(bars: Bars, parameters: Parameters) -> Fields:
    line, signal, histogram = talib.MACD(
        bars.close,
        _whole(parameters, "optInFastPeriod", 12, 2),
        _whole(parameters, "optInSlowPeriod", 26, 2),
        _whole(parameters, "optInSignalPeriod", 9),
    )
    return {"valueMACD": line, "valueMACDSignal": signal, "valueMACDHist": histogram}


def _bbands(bars: Bars, parameters: Parameters) -> Fields:
    width = _real(parameters, "stddev", 2.0)
    upper, middle, lower = talib.BBANDS(bars.close, _whole(parameters, "period", 20, 2), width, width)
    return {"valueUpperBand": upper, "valueMiddleBand": middle, "valueLowerBand": lower}


def _stoch(bars: Bars, parameters: Parameters) -> Fields:
    k, d = talib.STOCH(
        bars.high,
        bars.low,
        bars.close,
        fastk_period=_whole(parameters, "kPeriod", 5),
        slowk_period=_whole(parameters, "kSmooth", 3),
        slowd_period=_whole(parameters, "dPeriod", 3),
    )
    return {"valueK": k, "valueD": d}


def _stochrsi(bars: Bars, parameters: Parameters) -> Fields:
    k, d = talib.STOCHRSI(bars.close, _whole(parameters, "rsiPeriod", 14, 2), _whole(parameters, "stochasticPeriod", 14), 3)
    return {"valueFastK": k, "valueFastD": d}


def _dmi(bars: Bars, parameters: Parameters) -> Fields:
    period = _whole(parameters, "period", 14, 2)
    of = (bars.high, bars.low, bars.close, period)
    return {"adx": talib.ADX(*of), "pdi": talib.PLUS_DI(*of), "mdi": talib.MINUS_DI(*of)}


def _vwap(bars: Bars, parameters: Parameters) -> Fields:  # noqa: ARG001 (one signature for all)
    """From the beginning of each UTC day, or of the window where that is later."""
    typical = (bars.high + bars.low + bars.close) / 3
    money, volume = np.cumsum(typical * bars.volume), np.cumsum(bars.volume)
    heads = np.flatnonzero(np.concatenate([[True], np.diff(bars.start // _DAY) > 0]))
    head = heads[np.searchsorted(heads, np.arange(len(bars)), side="right") - 1]
    before_money = np.where(head > 0, money[head - 1], 0.0)
    before_volume = np.where(head > 0, volume[head - 1], 0.0)
    return _value((money - before_money) / np.maximum(volume - before_volume, 1e-12))


def _on_close(function: Callable[..., Any], default: int, least: int = 2) -> Callable[[Bars, Parameters], Fields]:
    return lambda bars, parameters: _value(function(bars.close, _whole(parameters, "period", default, least)))


def _on_bars(function: Callable[..., Any], default: int, least: int = 2) -> Callable[[Bars, Parameters], Fields]:
    return lambda bars, parameters: _value(function(bars.high, bars.low, bars.close, _whole(parameters, "period", default, least)))


INDICATORS: dict[str, Callable[[Bars, Parameters], Fields]] = {
    "rsi": _on_close(talib.RSI, 14),
    "ema": _on_close(talib.EMA, 30),
    "sma": _on_close(talib.SMA, 30),
    "wma": _on_close(talib.WMA, 30),
    "dema": _on_close(talib.DEMA, 30),
    "roc": _on_close(talib.ROC, 10, 1),
    "mom": _on_close(talib.MOM, 10, 1),
    "atr": _on_bars(talib.ATR, 14),
    "natr": _on_bars(talib.NATR, 14),
    "adx": _on_bars(talib.ADX, 14),
    "cci": _on_bars(talib.CCI, 20),
    "willr": _on_bars(talib.WILLR, 14),
    "mfi": lambda bars, parameters: _value(talib.MFI(bars.high, bars.low, bars.close, bars.volume, _whole(parameters, "period", 14, 2))),
    "obv": lambda bars, _parameters: _value(talib.OBV(bars.close, bars.volume)),
    "price": lambda bars, _parameters: _value(bars.close),
    "vwap": _vwap,
    "macd": _macd,
    "bbands": _bbands,
    "stoch": _stoch,
    "stochrsi": _stochrsi,
    "dmi": _dmi,
}
CANDLES = frozenset({"candle", "candles"})
