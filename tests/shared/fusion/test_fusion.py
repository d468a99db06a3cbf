from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.decisions import Abstention, Signal
from shared.fusion import FusionSettings, decide, fuse, reduces, standing_action
from tests import facts

ENGINES = ("rules", "llm", "neural", "rules.demo_pulse")
ORDER = {"sell": 0, "hold": 1, "buy": 2}
USUAL = FusionSettings()

fractions = st.floats(0, 1)
convictions = st.floats(-1, 1)
previous_actions = st.sampled_from([None, "buy", "sell", "hold"])


@st.composite
def settings(draw) -> FusionSettings:
    hysteresis = draw(st.floats(0, 20))
    return FusionSettings(
        buy_score=draw(st.floats(50.5 + hysteresis, 100)),
        sell_score=draw(st.floats(0, 49.5 - hysteresis)),
        hysteresis=hysteresis,
        minimum_coverage=draw(st.floats(0.01, 1)),
    )


def heard(engine: str, conviction: float, confidence: float = 0.7, **given) -> Signal:
    return facts.signal(engine=engine, conviction=conviction, confidence=confidence, **given)


def silent(engine: str, code: str = "answer_late", reason: str = "no answer within 15 s") -> Abstention:
    made = facts.signal(engine=engine)
    common = {name: getattr(made, name) for name in ("id", "symbol", "at", "made_at", "inputs")}
    return Abstention(**common, engine=engine, timeframe="5m", code=code, reason=reason)


@st.composite
def votes(draw, least: int = 0):
    """Views of some engines, some silent, and weights of all of them."""
    engines = draw(st.lists(st.sampled_from(ENGINES), unique=True, min_size=least))
    weights = {engine: draw(st.floats(0.01, 100)) for engine in engines}
    views = [
        heard(engine, draw(convictions), draw(fractions), shadow=draw(st.booleans())) if draw(st.booleans()) else silent(engine)
        for engine in engines
        if draw(st.booleans())
    ]
    return views, weights


@given(votes(), settings(), previous_actions)
def test_every_figure_of_a_vote_is_bounded_and_the_shares_of_those_who_spoke_make_one(vote, chosen, previous):
    views, weights = vote
    fused = fuse(views, weights, chosen, previous=previous)

    assert 0 <= fused.score <= 100
    assert 0 <= fused.confidence <= 1
    assert 0 <= fused.coverage <= 1
    shares = [contribution.share for contribution in fused.contributions]
    assert sum(shares) == pytest.approx(1 if any(shares) else 0)
    assert len(fused.reasoning) <= 2_000
    assert len(fused.contributions) == len(views)


@given(votes(least=1), settings(), previous_actions, st.data())
def test_more_conviction_of_any_engine_never_lowers_the_score_or_the_action(vote, chosen, previous, data):
    views, weights = vote
    spoke = [view for view in views if isinstance(view, Signal)]
    if not spoke:
        return
    raised = data.draw(st.sampled_from(spoke))
    higher = raised.replace(conviction=data.draw(st.floats(raised.conviction, 1)))
    before = fuse(views, weights, chosen, previous=previous)
    after = fuse([higher if view is raised else view for view in views], weights, chosen, previous=previous)

    assert after.score >= before.score
    assert ORDER[after.action] >= ORDER[before.action]


@given(votes(), settings(), previous_actions, st.randoms())
def test_the_order_of_the_views_and_of_the_engines_changes_nothing(vote, chosen, previous, shuffler: random.Random):
    views, weights = vote
    mixed, names = list(views), list(weights)
    shuffler.shuffle(mixed)
    shuffler.shuffle(names)

    again = fuse(mixed, {name: weights[name] for name in names}, chosen, previous=previous)
    assert again == fuse(views, weights, chosen, previous=previous)


@given(votes(), settings(), previous_actions)
def test_who_abstains_or_is_a_shadow_weighs_nothing(vote, chosen, previous):
    views, weights = vote
    fused = fuse(views, weights, chosen, previous=previous)
    voting = [view for view in views if isinstance(view, Signal) and not view.shadow]
    alone = fuse(voting, {view.engine: weights[view.engine] for view in voting}, chosen, previous=previous)

    assert all(
        contribution.share == 0
        for contribution, view in ((c, v) for c in fused.contributions for v in views if v.engine == c.engine)
        if view not in voting
    )
    if fused.coverage >= chosen.minimum_coverage:
        assert (fused.score, fused.action) == (alone.score, alone.action)


@given(votes(), settings(), previous_actions)
def test_below_the_minimum_coverage_nothing_is_bought_or_sold(vote, chosen, previous):
    views, weights = vote
    fused = fuse(views, weights, chosen, previous=previous)

    if fused.coverage < chosen.minimum_coverage:
        assert (fused.action, fused.score) == ("hold", 50.0)


@given(votes(), settings(), previous_actions)
def test_an_exit_only_symbol_is_never_bought_and_its_exits_stay(vote, chosen, previous):
    views, weights = vote
    free, bound = (fuse(views, weights, chosen, previous=previous, exit_only=flag) for flag in (False, True))

    assert bound.action == ("hold" if free.action == "buy" else free.action)
    assert bound.score == free.score


@given(settings(), st.floats(0, 100))
def test_a_neutral_score_never_acts_and_no_score_both_buys_and_sells(chosen, score):
    for previous in (None, "buy", "sell", "hold"):
        assert chosen.action(50.0, previous) == "hold"
        assert chosen.buys_from(previous) > chosen.sells_to(previous)
    assert ORDER[chosen.action(score, "sell")] <= ORDER[chosen.action(score, None)] <= ORDER[chosen.action(score, "buy")]


@pytest.mark.parametrize(
    ("score", "previous", "action"),
    [
        (60.0, None, "buy"), (59.9, None, "hold"), (56.0, "buy", "buy"), (54.9, "buy", "hold"), (56.0, "hold", "hold"),
        (56.0, "sell", "hold"), (40.0, None, "sell"), (40.1, None, "hold"), (44.0, "sell", "sell"), (45.1, "sell", "hold"),
        (44.0, "buy", "hold"), (61.0, "sell", "buy"),
    ],
)  # fmt: skip
def test_an_action_begins_at_one_threshold_and_ends_at_another(score, previous, action):
    assert USUAL.action(score, previous) == action


def test_weights_are_shared_by_those_who_spoke():
    fused = fuse([heard("rules", 0.6, 0.8), silent("llm"), heard("neural", -0.2, 0.5)], {"rules": 1, "llm": 2, "neural": 1}, USUAL)

    assert fused.score == pytest.approx(60.0)
    assert (fused.action, fused.coverage, fused.confidence) == ("buy", 0.5, pytest.approx(0.65))
    assert [(c.engine, c.share, c.abstained) for c in fused.contributions] == [
        ("llm", 0.0, "answer_late"),
        ("neural", 0.5, ""),
        ("rules", 0.5, ""),
    ]


def test_the_reasoning_says_what_and_who_said_what():
    fused = fuse([heard("rules", 0.6), silent("llm")], {"rules": 1, "llm": 1}, USUAL)

    assert fused.reasoning == (
        "Buy: score 80.0, from 60. llm abstained (answer_late): no answer within 15 s; rules (100%) says buy at +0.60: RSI 25 is oversold"
    )


def test_engines_of_many_words_share_the_room():
    long = [heard(engine, 0.5, reasoning="word " * 390) for engine in ENGINES]
    fused = fuse(long, dict.fromkeys(ENGINES, 1.0), USUAL)

    assert len(fused.reasoning) <= 2_000
    assert all(f"{engine} (" in fused.reasoning for engine in ENGINES)


def test_two_views_of_one_engine_are_refused():
    with pytest.raises(ValueError, match="one view an engine, was rules, rules"):
        fuse([heard("rules", 1), heard("rules", -1)], {"rules": 1}, USUAL)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"buy_score": 52.0}, "buy_score - hysteresis above it, was 40 \\+ 5 and 52 - 5"),
        ({"sell_score": 47.0}, "sell_score \\+ hysteresis must be below 50"),
        ({"hysteresis": -1.0}, "hysteresis must be from 0 to 100, was -1"),
        ({"buy_score": 101.0}, "buy_score must be from 0 to 100"),
        ({"minimum_coverage": 0.0}, "minimum_coverage must be above 0"),
    ],
)
def test_settings_that_would_act_on_nothing_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        FusionSettings(**given)


# ---- the fact ----------------------------------------------------------------------------------------------------------------------
def made(views=None, *, previous=None, **given):
    indicators = facts.indicators(simulated=True)
    views = [heard("rules", 0.6)] if views is None else views
    return decide(indicators, views, {"rules": 1.0}, USUAL, previous=previous, made_at=indicators.made_at, config="c1", **given)


def test_a_decision_names_what_it_was_made_from_and_carries_what_it_inherits():
    decision = made()

    assert decision.id == "decision|BTC/USD|5m|2026-11-20T15:00:00Z"
    assert decision.inputs == ("indicators|BTC/USD|5m|2026-11-20T15:00:00Z", "signal|BTC/USD|5m|2026-11-20T15:00:00Z|rules")
    assert (decision.simulated, decision.price, decision.config, decision.action) == (True, 100.0, "c1", "buy")


def test_the_same_bar_and_views_make_the_same_decision():
    assert made().fingerprint() == made().replace(made_at=facts.CLOSE + timedelta(hours=1)).fingerprint()


def test_a_decision_that_stays_names_the_one_before_it_and_others_do_not():
    before = facts.decision(at=facts.CLOSE - timedelta(minutes=5), action="buy")
    stays = made([heard("rules", 0.12)], previous=before)

    assert (stays.action, stays.inputs[-1]) == ("buy", before.id)
    assert stays.reasoning.startswith("Buy stays: score 56.0, from 55.")
    assert before.id not in made(previous=before).inputs


@pytest.mark.parametrize(("minutes", "stands"), [(5, "buy"), (10, "buy"), (15, None), (0, None), (-5, None)])
def test_a_previous_action_stands_for_two_bars(minutes, stands):
    before = facts.decision(at=facts.CLOSE - timedelta(minutes=minutes), action="buy")

    assert standing_action(before, facts.indicators()) == stands


def test_a_previous_action_of_another_timeframe_does_not_stand():
    before = facts.decision(at=facts.CLOSE - timedelta(minutes=5), action="buy", timeframe="1h")

    assert standing_action(before, facts.indicators()) is None
    assert standing_action(None, facts.indicators()) is None


def test_what_no_engine_said_anything_about_is_held():
    decision = made([])

    assert (decision.action, decision.coverage, decision.reasoning) == ("hold", 0.0, "Hold: no engine spoke")


@pytest.mark.parametrize(
    ("action", "quantity", "less"),
    [("sell", "1", True), ("buy", "-1", True), ("buy", "1", False), ("sell", "-1", False), ("sell", "0", False), ("hold", "1", False)],
)
def test_a_sell_reduces_a_long_and_a_buy_a_short(action, quantity, less):
    assert reduces(action, Decimal(quantity)) is less
