"""Trades a strategy of shared/strategies by its name: `rules` the usual one, `rules:<strategy>` another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from services.decision.engines import Opinion, Question, Setup, Silence, View
from shared.domain.errors import ConfigurationInvalid
from shared.strategies import Strategy, Window, strategy

USUAL = "rsi_reversion"


class Rules:
    slow = False

    def __init__(self, name: str, traded: Strategy[Any]) -> None:
        self.name = name
        self._strategy = traded
        self._params = traded.default
        self._lookback = traded.lookback(self._params)

    async def views(self, questions: Sequence[Question]) -> Sequence[View]:
        return [self._view(question) for question in questions]

    def _view(self, question: Question) -> View:
        window = Window.of(question.rows[-self._lookback :], question.indicators.timeframe, self._strategy.reads)
        conviction = float(self._strategy.convictions(window, self._params)[-1])
        words = self._strategy.words(window, self._params)
        if math.isnan(conviction):
            return Silence("too_little_data", words)
        evidence = tuple(name for name in self._strategy.reads if name in question.indicators.values)
        return Opinion(conviction, 0.5 + abs(conviction) / 2, words, evidence)

    async def live(self) -> None:
        return

    async def close(self) -> None:
        return


def create(setup: Setup) -> Rules:
    try:
        traded = strategy(setup.choice.argument or USUAL)
    except KeyError as error:
        raise ConfigurationInvalid(f"ENGINES: {error.args[0]}") from None
    return Rules(setup.choice.name, traded)
