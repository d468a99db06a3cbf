from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.decision.engines._llm.answer import form, opinion_of
from services.decision.engines._llm.prompt import messages_of, number, prompt_file
from services.decision.engines._llm.server import Reply
from shared.indicators import published
from tests import facts
from tests.services.decision.asking import question, rows

FILE = prompt_file()


def asked(**given) -> str:
    return messages_of(question(**given), FILE)[1]["content"]


def test_the_fixed_part_comes_first_and_is_the_same_for_every_symbol_and_bar():
    first, second = (messages_of(question(symbol, bars=rows(count)), FILE)[0] for symbol, count in (("BTC/USD", 20), ("AAPL", 3)))

    assert first == second == {"role": "system", "content": FILE.system}
    assert "{" + "symbol}" not in FILE.system


def test_what_changes_with_every_bar_comes_last():
    """The server keeps what it has read of a prompt up to the first character that differs."""
    end = int(facts.CLOSE.timestamp()) // 2400 * 2400
    kept = []
    for bar in range(8):
        before, after = (asked(bars=rows(20, last=end + 300 * (bar + step))) for step in (0, 1))
        same = next(place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
        kept.append(same / before.index("Now, at the close"))

    assert sorted(kept)[1] > 0.95, "all bars of the prompt before, but for the one where the window moves on"


def test_it_shows_from_eight_to_fifteen_bars():
    end = int(facts.CLOSE.timestamp())
    counts = [asked(bars=rows(32, last=end + 300 * bar)).split("volume\n")[1].split("\nNow")[0].count("\n") + 1 for bar in range(16)]

    assert (min(counts), max(counts)) == (8, 15)


def test_every_published_indicator_is_explained():
    assert [name for name in published() if name not in FILE.system] == []


def test_the_answers_fields_are_explained_in_the_order_of_the_schema():
    places = [FILE.system.index(f'"{name}":') for name in form(("rsi",))["properties"]]

    assert places == sorted(places)


def test_the_examples_are_answers_that_would_be_accepted():
    examples = [line for line in FILE.system.splitlines() if line.startswith("{")]
    assert len(examples) == 2
    for example in examples:
        reply = Reply(example, "", "stop", "m", 700, 50, None, None, None)
        assert opinion_of(reply, published(), context_tokens=4_096).reasoning


def test_the_question_holds_the_position_the_session_and_the_decision_before():
    text = asked(position=facts.position(quantity="-2", average_price="80"), previous=facts.decision(action="sell"))

    assert "position: short, entered at 80, now -25.00%" in text
    assert "market: always" in text
    assert "last decision: sell" in text
    assert "market: regular" in messages_of(question("AAPL"), FILE)[1]["content"]


def test_what_is_unknown_is_said_to_be():
    text = asked(market=None, position=None)

    assert "market: unknown" in text
    assert "position: unknown" in text
    assert "last decision: none" in text
    assert "position: none" in asked(position=facts.position(quantity="0"))
    assert "position: long 0.5\n" in asked(position=facts.position(average_price=None))


def test_no_clock_is_in_the_prompt():
    """It would let a model remember instead of judge, and cost the cache."""
    assert "2026" not in asked() + FILE.system


def test_a_changed_word_is_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr("services.decision.engines._llm.prompt.FOLDER", tmp_path)
    (tmp_path / "decide-9.md").write_text(FILE.system + " Please.\n=== question ===\n" + FILE.question, encoding="utf-8")
    changed = prompt_file("decide-9")

    assert changed.version.split(":")[0] == "decide-9"
    assert changed.version.split(":")[1] != FILE.version.split(":")[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (101_234.567, "101235"),
        (0.000012345678, "0.0000123457"),
        (1.10, "1.1"),
        (-0.25, "-0.25"),
        (0.0, "0"),
        (1e15, "1000000000000000"),
        (99.9999999, "100"),
    ],
)
def test_numbers_are_short_and_without_an_exponent(value, text):
    assert number(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_can_be_written(value):
    text = number(value)

    assert "e" not in text
    assert float(text) == pytest.approx(value if abs(value) < float("inf") else 0, rel=1e-5, abs=1e-6)


@given(st.dictionaries(st.sampled_from(sorted(published())), st.floats(-1e9, 1e9), max_size=17))
def test_the_whole_prompt_stays_far_below_the_context(values):
    made = question(indicators=facts.indicators(values=values), bars=[row._replace(values=values) for row in rows(40)])
    characters = sum(len(message["content"]) for message in messages_of(made, FILE))

    assert characters < 4_500  # at three characters a token, room for the answer and a repair in 4096 tokens
