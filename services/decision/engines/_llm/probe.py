"""The start-up probe: is the server there, is the model, does it answer in the form asked for, how fast, and will that do."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from services.decision.engines import Question
from services.decision.engines._llm.answer import ACTIONS, form, opinion_of
from services.decision.engines._llm.model import LOAD_SECONDS, Call
from services.decision.engines._llm.prompt import messages_of, prompt_file
from services.decision.engines._llm.server import OllamaServer, Reply
from services.decision.settings import DecisionSettings
from shared.domain.errors import EngineError
from shared.domain.fact import fact_id
from shared.domain.market import Indicators, Timeframe
from shared.runtime.process import Finding
from shared.strategies import Row

VALUES = {"rsi": 41.7, "macd": -12.4, "macd_signal": -14.1, "macd_histogram": 1.7, "ema_20": 10_012.5, "ema_50": 10_034.1, "atr": 41.2}


async def probe(server: OllamaServer, call: Call, settings: DecisionSettings) -> list[Finding]:
    """Stops at the first thing without which the next cannot be looked at."""
    findings: list[Finding] = []
    try:
        findings.append(Finding("Ollama server", True, f"version {await server.version()} at {server.host}"))
        digest = await server.digest(call.model)
        if digest is None:
            fix = f"start the decision process, which pulls it, or run: ollama pull {call.model}"
            return [*findings, Finding("model", False, f"{call.model} is not on the server", fix)]
        able = await server.capabilities(call.model)
        findings.append(Finding("model", True, f"{call.model}, digest {digest[:19]}, can do {', '.join(able) or 'nothing it names'}"))
        async with asyncio.timeout(LOAD_SECONDS):
            findings += await _answers(server, call, settings)
        loaded = await server.loaded(call.model)
        share = f"{loaded.gpu_share:.0%} of it on the GPU" if loaded else "not in memory"
        findings.append(Finding("model memory", loaded is not None, share, "" if loaded else "the server put it out at once; free memory"))
    except EngineError as error:
        fix = "start Ollama, set OLLAMA_HOST to its address, or take llm out of ENGINES"
        findings.append(Finding("model" if findings else "Ollama server", False, str(error), fix))
    except TimeoutError:
        findings.append(Finding("model answers", False, f"no answer within {LOAD_SECONDS:g} s", "choose a smaller OLLAMA_MODEL"))
    return findings


async def _answers(server: OllamaServer, call: Call, settings: DecisionSettings) -> list[Finding]:
    file, names = prompt_file(), (*VALUES, "price")

    async def ask(bars: int) -> Reply:
        messages = messages_of(_sample(settings.symbols[0], settings.timeframe, bars), file)
        return await server.chat(call.model, messages, form=form(names), options=call.options, keep_alive=call.keep_alive)

    await ask(20)  # loads the model and fills the prefix cache, as the first bar does
    began = time.perf_counter()
    reply = await ask(21)
    seconds = time.perf_counter() - began
    findings = [_valid(reply, names, call), await _labels(server, call)]
    if (await ask(21)).content != reply.content:
        findings.append(Finding("model repeats itself", True, "two identical questions got different answers: no replay will be exact"))
    pace = f"{reply.tokens_per_second:.0f} tokens a second, " if reply.tokens_per_second else ""
    return [*findings, _fits(seconds, pace, settings)]


def _valid(reply: Reply, names: Sequence[str], call: Call) -> Finding:
    try:
        opinion_of(reply, names, context_tokens=call.context_tokens)
    except EngineError as error:
        fix = "choose another OLLAMA_MODEL: this one does not keep to a form with thinking off"
        return Finding("model answers", False, f"its answer was refused: {error}", fix)
    return Finding("model answers", True, "in the form asked for, with thinking off")


async def _labels(server: OllamaServer, call: Call) -> Finding:
    """Whether each action is one token: then its probability can be read off."""
    options = {**call.options, "num_predict": 16}
    seen = whole = 0
    for action in ACTIONS:
        word = {"role": "user", "content": f"Say the word {action} in lower case and nothing else."}
        only = {"type": "object", "properties": {"action": {"const": action}}, "required": ["action"], "additionalProperties": False}
        reply = await server.chat(call.model, [word], form=only, options=options, keep_alive=call.keep_alive, tokens=True)
        seen += bool(reply.first_tokens)
        whole += any(token.strip(' "') == action for token in reply.first_tokens)
    detail = f"{whole} of {len(ACTIONS)} actions are one token" if seen else "the server gives no log-probabilities"
    return Finding("model labels", True, detail)


def _fits(seconds: float, pace: str, settings: DecisionSettings) -> Finding:
    count, at_once = len(settings.symbols), settings.ollama_concurrency
    needed, given = math.ceil(count / at_once) * seconds, settings.answer_seconds
    detail = f"{pace}{count} symbols × {seconds:.1f} s, {at_once} at once, need {needed:.1f} s; the deadline is {given:.1f} s"
    fix = "" if needed <= given else "choose a smaller OLLAMA_MODEL, a longer TIMEFRAME, fewer SYMBOLS, or a GPU; who is late abstains"
    return Finding("model pace", needed <= given, detail, fix)


def _sample(symbol: str, timeframe: Timeframe, bars: int) -> Question:
    """A made-up bar, of the size of a real one."""
    at = timeframe.floor(datetime.now(UTC))
    price, name = 10_000.0 + bars, fact_id("indicators", symbol, timeframe, at)
    facts = Indicators(id=name, symbol=symbol, at=at, made_at=at, timeframe=timeframe, price=price, values=VALUES)
    closes = [10_000.0 + 10 * math.sin(number) for number in range(bars)]
    last = int(at.timestamp())
    rows = [Row(last - (bars - 1 - n) * timeframe.seconds, close, close + 5, close - 5, close, 12.5) for n, close in enumerate(closes)]
    return Question(facts, rows, deadline=math.inf)
