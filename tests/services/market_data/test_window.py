"""The budget is kept on our side, on the monotonic clock, urgent requests first."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market_data.sources._window import BARS, HISTORY, QUOTES, Window
from tests.services.market_data.clock import ManualClock, settled


async def ask(
    window: Window, clock: ManualClock, done: list[tuple[str, float]], name: str = "", urgency: int = BARS, lasts: float = 0.0
) -> None:
    async with window.slot(urgency):
        sent = clock.monotonic()
        await clock.sleep(lasts)
    done.append((name, sent))


async def test_a_free_plan_sends_one_at_a_time_a_window_apart_from_the_end_of_the_last() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=0, seconds=15, parallel=1)
    asks = [asyncio.create_task(ask(window, clock, done, lasts=2.0)) for _ in range(3)]
    await clock.advance(60)
    assert [sent - done[0][1] for _, sent in done] == [0.0, 17.0, 34.0]
    await asyncio.gather(*asks)


async def test_bars_go_before_history_and_history_before_quotes() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=1, seconds=15, parallel=1)
    first = asyncio.create_task(ask(window, clock, done, "first"))
    await settled()
    wanted = (("quote", QUOTES), ("past", HISTORY), ("bar", BARS))
    asks = [asyncio.create_task(ask(window, clock, done, name, urgency)) for name, urgency in wanted]
    await clock.advance(60)
    assert [name for name, _ in done] == ["first", "bar", "past", "quote"]
    await asyncio.gather(first, *asks)


async def test_what_is_not_urgent_leaves_room_for_a_bar() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=6, seconds=15, parallel=6)
    asks = [asyncio.create_task(ask(window, clock, done, "past", HISTORY)) for _ in range(6)]
    await clock.advance(1)
    assert len(done) == 4
    bar = asyncio.create_task(ask(window, clock, done, "bar"))
    await clock.advance(0.1)
    assert done[-1][0] == "bar"
    await clock.advance(60)
    await asyncio.gather(bar, *asks)


async def test_what_is_left_is_told_as_it_is_used_and_given_back() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=3, seconds=15, parallel=3)
    assert window.left() == 3
    ask_one = asyncio.create_task(ask(window, clock, done, lasts=2.0))
    await clock.advance(1)
    assert window.left() == 2
    await clock.advance(20)
    assert window.left() == 3
    window.hold(5)
    assert window.left() == 0
    await ask_one


async def test_after_a_refusal_nothing_is_sent_until_the_hold_is_over() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=5, seconds=15, parallel=5)
    window.hold(20)
    waiting = asyncio.create_task(ask(window, clock, done))
    await clock.advance(19)
    assert done == []
    await clock.advance(2)
    assert len(done) == 1
    await waiting


async def test_a_request_that_was_given_up_frees_its_place() -> None:
    clock, done = ManualClock(), []
    window = Window(clock, requests=2, seconds=15, parallel=1)
    hung = asyncio.create_task(ask(window, clock, done, lasts=100))
    waiting = asyncio.create_task(ask(window, clock, done, "next"))
    await clock.advance(1)
    hung.cancel()
    await clock.advance(1)
    assert [name for name, _ in done] == ["next"]
    await asyncio.gather(hung, waiting, return_exceptions=True)


@pytest.mark.parametrize(("requests", "replicas", "expected"), [(29, 1, (29, 15)), (29, 2, (14, 15)), (1, 3, (1, 45)), (4, 8, (1, 30))])
def test_replicas_share_the_keys_budget(requests: int, replicas: int, expected: tuple[int, float]) -> None:
    window = Window(ManualClock(), requests=requests, seconds=15, parallel=4)
    window.share(replicas)
    assert (window.requests, window.seconds) == expected


@settings(max_examples=40, deadline=None)
@given(
    requests=st.integers(1, 6),
    parallel=st.integers(1, 4),
    asks=st.lists(st.tuples(st.sampled_from([BARS, HISTORY, QUOTES]), st.floats(0, 8), st.floats(0, 20)), max_size=14),
)
async def test_no_window_ever_holds_more_requests_than_allowed(requests: int, parallel: int, asks: list[tuple[int, float, float]]) -> None:
    clock = ManualClock()
    window = Window(clock, requests=requests, seconds=15, parallel=parallel)
    spans: list[tuple[float, float]] = []

    async def one(urgency: int, lasts: float, later: float) -> None:
        await clock.sleep(later)
        async with window.slot(urgency):
            sent = clock.monotonic()
            await clock.sleep(lasts)
            spans.append((sent, clock.monotonic()))

    tasks = [asyncio.create_task(one(*each)) for each in asks]
    await clock.advance(1_000)
    await asyncio.gather(*tasks)
    assert len(spans) == len(asks)
    # Whenever the provider counts a request, between its sending and its end, no 15 s hold more than allowed.
    for sent, _ in spans:
        assert sum(1 for start, end in spans if end > sent - 15 + 1e-6 and start <= sent) <= requests
        assert sum(1 for start, end in spans if start <= sent < end) <= parallel
