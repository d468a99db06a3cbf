"""From a market's bar to a broker's fill through real processes, a real Redis and the vendors' own protocols."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tests.books import faults_against_the_broker, faults_of_the_chain
from tests.system import System

SYMBOLS = "BTC/USD,ETH/USD,AAPL,MSFT"


@pytest.fixture
def system(tmp_path):
    with System(tmp_path / "system", symbols=SYMBOLS, environment={"MAX_ORDERS_PER_MINUTE": "600", "COOLDOWN_SECONDS": "0"}) as started:
        started.start_sandbox()
        yield started


def all_symbols_have(system: System, topic: str) -> bool:
    return all(system.history(topic, symbol) for symbol in system.symbols)


def flat_and_quiet(system: System) -> None:
    """Trading off, everything sold, nothing working: then the books must agree."""
    system.switch_off()
    system.command("liquidate", f"end-{time.time_ns()}")
    system.wait_for(lambda: not system.sandbox("/sandbox/books")["positions"], what="flat at the broker")
    system.wait_for(lambda: not faults_against_the_broker(system), seconds=20, what="books that agree")


@pytest.mark.timeout(180)
def test_every_symbol_goes_from_a_bar_to_a_fill_and_the_books_agree_to_the_cent(system):
    system.start("market_data", "decision", "execution", "archive")
    system.wait_for(lambda: all_symbols_have(system, "decision"), seconds=40, what="a decision a symbol")
    system.wait_for(lambda: all_symbols_have(system, "outcome"), what="an outcome a symbol")
    assert {outcome.outcome for outcome in system.every_symbol("outcome")} == {"skipped"}
    assert {outcome.code for outcome in system.every_symbol("outcome")} <= {"off", "already_flat", "superseded"}
    assert not system.every_symbol("order")

    system.switch_on()
    begun = time.monotonic()
    system.wait_for(lambda: all_symbols_have(system, "fill"), seconds=60, what="a fill a symbol")
    assert time.monotonic() - begun < 60
    assert all(fact.simulated for topic in ("bar", "decision", "order", "fill") for fact in system.every_symbol(topic))

    flat_and_quiet(system)
    assert faults_of_the_chain(system) == []
    executed = [outcome for outcome in system.every_symbol("outcome") if outcome.outcome == "executed"]
    assert {outcome.symbol for outcome in executed} == set(system.symbols)
    assert all(outcome.filled_quantity and outcome.filled_quantity > 0 for outcome in executed)
    account = system.latest("account")
    assert account.equity != Decimal(100_000)  # spread and fees were paid


@pytest.mark.timeout(240)
def test_more_replicas_and_a_killed_active_execution_double_and_lose_nothing(system):
    system.start("market_data", "execution", "decision")
    system.start("market_data", "execution", "decision", replica="-2")
    system.start("decision", replica="-3")
    system.wait_for(lambda: all_symbols_have(system, "decision"), seconds=40, what="a decision a symbol")
    system.switch_on()
    system.wait_for(lambda: len(system.every_symbol("fill")) >= 4, seconds=60, what="fills")
    effective = system.latest("trading_effective")
    active = next(name for name in ("execution", "execution-2") if effective.replica in system.log(name))
    replica_before, fills_before = effective.replica, len(system.every_symbol("fill"))

    system.kill(active)
    system.wait_for(lambda: system.latest("trading_effective").replica != replica_before, seconds=30, what="a standby that took over")
    system.wait_for(lambda: len(system.every_symbol("fill")) > fills_before + 2, seconds=60, what="fills after the take-over")
    system.kill("decision")
    system.wait_for(lambda: len(system.every_symbol("fill")) > fills_before + 5, seconds=60, what="fills after a decision process died")

    flat_and_quiet(system)
    assert faults_of_the_chain(system) == []


@pytest.mark.timeout(180)
def test_after_redis_was_killed_and_restarted_the_system_goes_on_by_itself(system):
    system.start("market_data", "decision", "execution", "archive")
    system.wait_for(lambda: all_symbols_have(system, "decision"), seconds=40, what="a decision a symbol")
    system.switch_on()
    system.wait_for(lambda: system.every_symbol("fill"), seconds=60, what="a fill")

    system.redis.kill()
    time.sleep(3)
    system.redis.start()
    before = len(system.every_symbol("decision"))
    system.wait_for(lambda: len(system.every_symbol("decision")) >= before + 8, seconds=60, what="decisions after the restart")

    flat_and_quiet(system)
    assert faults_of_the_chain(system) == []
