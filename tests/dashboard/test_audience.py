from __future__ import annotations

import json
import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.audience import (
    DRAINED,
    FRAME,
    FULL,
    HIDDEN_PERIOD,
    MAX_KEPT,
    MAX_SAID,
    PERIOD,
    SHARE,
    SNAPSHOT_PERIOD,
    STALLED_SECONDS,
    Audience,
    Client,
)
from dashboard.board import Shown
from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, HALT, QUOTE
from tests.facts import CLOSE, bar, decision, halt, quote

WALL = 1_700_000_000.0


class Lines:
    """Remembers what was sent; `queue` holds how many messages wait at a client."""

    def __init__(self):
        self.sent = []
        self.queue = {}
        self.dropped = []

    def send(self, sid, event, text):
        self.sent.append((sid, event, json.loads(text)))

    def waiting(self, sid):
        return self.queue.get(sid, 0)

    def drop(self, sid, reason):
        self.dropped.append((sid, reason))

    def of(self, sid, event=None):
        return [payload for who, name, payload in self.sent if who == sid and event in (None, name)]

    def facts(self, sid, event):
        return [fact for payload in self.of(sid, event) for fact in payload["facts"]]


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def audience(lines):
    return Audience(lines, lambda seq: json.dumps({"seq": seq, "facts": {}}), lock=threading.RLock(), clock=lambda: 0.0)


def quoted(number, symbol="BTC/USD"):
    at = CLOSE + timedelta(seconds=number)
    return Shown.of(Ref(QUOTE, symbol), quote(symbol, at, bid=str(number + 1), ask=str(number + 2)))


def decided(number):
    return Shown.of(Ref(DECISION, "BTC/USD"), decision(at=CLOSE + timedelta(minutes=5 * number)))


def test_the_first_message_is_the_snapshot_then_what_changes_follows_by_number(audience, lines):
    audience.join(Client("a"), 0.0, greeting='{"reachable":true}')
    audience.offer(quoted(1))
    audience.flush(0.0, WALL)
    assert [(event, payload.get("seq")) for _, event, payload in lines.sent] == [("snapshot", 1), ("bus", None), ("quote", 2)]


def test_a_change_goes_out_at_once_then_at_most_ten_times_a_second(audience, lines):
    audience.join(Client("a"), 0.0)
    sent_at = []
    for step in range(100):
        now = step / 100
        audience.offer(quoted(step))
        before = len(lines.of("a", "quote"))
        audience.flush(now, WALL)
        if len(lines.of("a", "quote")) > before:
            sent_at.append(now)
    assert sent_at[0] == 0.0
    assert len(sent_at) == 10
    assert all(later - earlier >= PERIOD - 1e-9 for earlier, later in pairwise(sent_at))


def test_keys_that_change_by_turns_go_out_together_in_frames(audience, lines):
    audience.join(Client("a"), 0.0)
    for step in range(100):
        audience.offer(quoted(step, f"S{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[step % 25]}"))
        audience.flush(step / 100, WALL)
    assert len(lines.of("a", "quote")) <= 1 / FRAME + 1
    assert len(lines.facts("a", "quote")) >= 95


def test_what_changes_within_a_frame_leaves_together_whatever_its_topic(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.offer(quoted(1))
    audience.flush(0.0, WALL)
    audience.offer(decided(1))
    assert audience.flush(0.001, WALL) == pytest.approx(FRAME - 0.001)
    audience.offer(quoted(2, "AAPL"))
    audience.flush(FRAME, WALL)
    assert [event for _, event, _ in lines.sent] == ["snapshot", "quote", "decision", "quote"]


def test_a_halt_waits_for_no_frame(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.offer(quoted(1))
    audience.flush(0.0, WALL)
    audience.offer(quoted(2, "AAPL"))
    audience.offer(Shown.of(Ref(HALT), halt()))
    assert audience.flush(0.001, WALL) == pytest.approx(FRAME - 0.001)
    assert [event for _, event, _ in lines.sent] == ["snapshot", "quote", "halt"]


def test_where_sending_costs_much_frames_become_longer_and_never_take_more_than_their_share(lines):
    times = iter([0.0, 0.01])
    audience = Audience(lines, lambda seq: json.dumps({"seq": seq}), lock=threading.RLock(), clock=lambda: next(times))
    audience.join(Client("a"), 0.0)
    audience.offer(quoted(1))
    audience.flush(0.0, WALL)
    audience.offer(quoted(2, "AAPL"))
    assert audience.flush(FRAME, WALL) == pytest.approx(0.01 / SHARE - FRAME)


def test_flush_says_when_it_wants_to_be_called_again(audience):
    audience.join(Client("a"), 0.0)
    assert audience.flush(0.0, WALL) is None
    audience.offer(quoted(1))
    assert audience.flush(0.0, WALL) is None
    audience.offer(quoted(2))
    assert audience.flush(0.01, WALL) == pytest.approx(FRAME - 0.01)
    assert audience.flush(FRAME, WALL) == pytest.approx(PERIOD - FRAME)
    assert audience.flush(PERIOD, WALL) is None


def test_of_a_conflated_topic_only_the_newest_of_each_key_is_sent(audience, lines):
    audience.join(Client("a"), 0.0)
    for number in range(5):
        audience.offer(quoted(number))
        audience.offer(quoted(number, "AAPL"))
    audience.flush(0.0, WALL)
    assert [(fact["symbol"], fact["bid"]) for fact in lines.facts("a", "quote")] == [("BTC/USD", "5"), ("AAPL", "5")]


def test_of_a_topic_marked_every_each_fact_is_sent_in_order(audience, lines):
    audience.join(Client("a"), 0.0)
    for number in range(5):
        audience.offer(decided(number))
    audience.flush(0.0, WALL)
    assert [fact["id"] for fact in lines.facts("a", "decision")] == [decided(number).fact.id for number in range(5)]


def test_a_client_that_does_not_keep_up_gets_less_and_the_newest(audience, lines):
    audience.join(Client("slow"), 0.0)
    audience.join(Client("fast"), 0.0)
    lines.queue["slow"] = FULL
    for number in range(50):
        audience.offer(quoted(number))
        audience.flush(number * 2 * PERIOD, WALL)
    assert lines.of("slow", "quote") == []
    assert len(lines.of("fast", "quote")) == 50
    lines.queue["slow"] = DRAINED
    audience.flush(10.0, WALL)
    assert [fact["bid"] for fact in lines.facts("slow", "quote")] == ["50"]


def test_a_client_that_is_behind_still_gets_every_fact_of_a_lossless_topic(audience, lines):
    audience.join(Client("slow"), 0.0)
    lines.queue["slow"] = FULL
    for number in range(20):
        audience.offer(decided(number))
        audience.flush(number * PERIOD, WALL)
    lines.queue["slow"] = 0
    audience.flush(2.0, WALL)
    assert [fact["id"] for fact in lines.facts("slow", "decision")] == [decided(number).fact.id for number in range(20)]


def test_when_too_much_waits_for_a_client_it_gets_a_fresh_snapshot_instead(audience, lines):
    audience.join(Client("slow"), 0.0)
    lines.queue["slow"] = FULL
    shown = decided(1)
    for number in range(MAX_KEPT + 10):
        audience.offer(shown)
        if number % 100 == 0:
            audience.flush(number / 1_000, WALL)
    audience.flush(5.0, WALL)
    lines.queue["slow"] = 0
    audience.flush(6.0, WALL)
    assert [event for sid, event, _ in lines.sent if sid == "slow"] == ["snapshot", "snapshot"]


def test_a_client_that_takes_nothing_for_long_is_disconnected_and_nobody_else(audience, lines):
    audience.join(Client("stalled"), 0.0)
    audience.join(Client("fast"), 0.0)
    lines.queue["stalled"] = FULL
    for number in range(int(STALLED_SECONDS) + 3):
        audience.offer(quoted(number))
        audience.flush(float(number), WALL)
    assert lines.dropped == [("stalled", "stalled")]
    assert audience.size == 1


def test_a_line_that_is_found_cut_while_it_is_sent_to_takes_nobody_else_with_it(audience, lines):
    send = lines.send

    def cut(sid, event, text):
        if sid == "gone" and event != "snapshot":
            audience.leave(sid)
        send(sid, event, text)

    lines.send = cut
    for sid in ("one", "gone", "other"):
        audience.join(Client(sid), 0.0)
    audience.flush(0.0, WALL)
    audience.offer(quoted(1))
    audience.flush(1.0, WALL)
    audience.join(Client("gone"), 1.0)
    audience.tell("bus", "{}")
    assert [len(lines.of(sid, "quote")) for sid in ("one", "other")] == [1, 1]
    assert [len(lines.of(sid, "bus")) for sid in ("one", "other")] == [1, 1]
    assert audience.size == 2


def test_a_plea_for_a_snapshot_is_answered_once_a_second(audience, lines):
    audience.join(Client("a"), 0.0)
    for _ in range(5):
        audience.asked_again("a")
    assert audience.flush(0.1, WALL) == pytest.approx(SNAPSHOT_PERIOD - 0.1)
    audience.flush(SNAPSHOT_PERIOD, WALL)
    audience.flush(SNAPSHOT_PERIOD * 2, WALL)
    assert [payload["seq"] for payload in lines.of("a", "snapshot")] == [1, 2]


def test_whoever_asks_for_snapshots_and_takes_none_gets_no_second_one_and_is_let_go(audience, lines):
    audience.join(Client("a"), 0.0)
    lines.queue["a"] = DRAINED + 1
    for second in range(1, int(STALLED_SECONDS) + 3):
        audience.asked_again("a")
        audience.flush(float(second), WALL)
    assert len(lines.of("a", "snapshot")) == 1
    assert lines.dropped == [("a", "stalled")]


def test_a_hidden_page_is_sent_a_batch_every_ten_seconds_but_told_of_a_halt_at_once(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.looked_away("a", hidden=True)
    for number in range(100):
        audience.offer(quoted(number))
        audience.flush(number * PERIOD, WALL)
    assert len(lines.of("a", "quote")) == 1
    audience.offer(Shown.of(Ref(HALT), halt()))
    audience.flush(9.95, WALL)
    assert len(lines.of("a", "halt")) == 1
    audience.flush(HIDDEN_PERIOD, WALL)
    assert [fact["bid"] for fact in lines.facts("a", "quote")] == ["1", "100"]


def test_a_page_that_is_looked_at_again_is_brought_up_to_date_at_once(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.looked_away("a", hidden=True)
    for number in range(3):
        audience.offer(quoted(number))
        audience.flush(number * PERIOD, WALL)
    audience.looked_away("a", hidden=False)
    audience.flush(0.5, WALL)
    assert [fact["bid"] for fact in lines.facts("a", "quote")] == ["1", "3"]


def test_a_client_that_says_too_much_is_disconnected(audience, lines):
    audience.join(Client("a"), 0.0)
    assert all(audience.heard("a", 1.0) for _ in range(MAX_SAID))
    assert not audience.heard("a", 1.0)
    assert lines.dropped == [("a", "flood")]
    assert not audience.heard("a", 1.0)


def test_a_client_that_says_little_stays(audience, lines):
    audience.join(Client("a"), 0.0)
    assert all(audience.heard("a", now / 2) for now in range(500))


def test_a_log_out_disconnects_the_clients_of_that_login_and_no_other(audience, lines):
    for sid, login in (("a", "one"), ("b", "one"), ("c", "two"), ("local", "")):
        audience.join(Client(sid, login=login), 0.0)
    audience.end(lambda client: client.login == "one")
    assert lines.dropped == [("a", "logged out"), ("b", "logged out")]
    assert audience.size == 2


def test_a_login_that_expires_takes_its_clients_with_it(audience, lines):
    audience.join(Client("a", expires_at=WALL + 10), 0.0)
    audience.flush(1.0, WALL)
    assert lines.dropped == []
    audience.flush(2.0, WALL + 10)
    assert lines.dropped == [("a", "login expired")]


def test_after_everything_was_replaced_everybody_gets_a_snapshot_and_nothing_older(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.offer(quoted(1))
    audience.start_afresh()
    audience.flush(0.01, WALL)
    assert [event for _, event, _ in lines.sent] == ["snapshot", "snapshot"]


def test_of_a_bar_the_timeframes_do_not_push_each_other_out(audience, lines):
    audience.join(Client("a"), 0.0)
    audience.offer(Shown.of(Ref(BAR, "AAPL"), bar("AAPL")))
    audience.offer(Shown.of(Ref(BAR, "AAPL", "1h"), bar("AAPL", timeframe="1h")))
    audience.flush(0.0, WALL)
    assert [fact["timeframe"] for fact in lines.facts("a", "bar")] == ["5m", "1h"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["quote", "decision", "busy", "free", "hide", "show", "resync"]),
        st.floats(min_value=0.0, max_value=0.5),
        st.integers(0, 2),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_numbers_have_no_gap_and_the_last_word_is_the_newest(steps):
    """Once a client has caught up, what it was sent last of a key is the newest there is, or a snapshot came after it."""
    lines = Lines()
    newest = {}
    audience = Audience(lines, lambda seq: json.dumps({"seq": seq, "state": dict(newest)}), lock=threading.RLock(), clock=lambda: 0.0)
    audience.join(Client("a"), 0.0)
    now, number = 0.0, 0
    for what, pause, which in steps:
        now, number = now + pause, number + 1
        if what == "quote":
            shown = quoted(number, ("BTC/USD", "AAPL", "MSFT")[which])
            newest[shown.ref.symbol] = shown.fact.id
            audience.offer(shown)
        elif what == "decision":
            audience.offer(decided(number))
        elif what in {"busy", "free"}:
            lines.queue["a"] = FULL if what == "busy" else 0
        elif what == "resync":
            audience.asked_again("a")
        else:
            audience.looked_away("a", hidden=what == "hide")
        audience.flush(now, WALL)
    lines.queue["a"] = 0
    audience.looked_away("a", hidden=False)
    for _ in range(4):
        now += 1.1
        audience.flush(now, WALL)
    numbered = [payload["seq"] for payload in lines.of("a")]
    assert numbered == list(range(1, len(numbered) + 1))
    seen = {}
    for _, event, payload in lines.sent:
        if event == "snapshot":
            seen = dict(payload["state"])
        elif event == "quote":
            seen |= {fact["symbol"]: fact["id"] for fact in payload["facts"]}
    assert seen == newest
