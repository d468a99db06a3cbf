"""One active process an account. Any number stand by; the lease of the account, with a token that grows, says which one acts.

A process that is not sure to hold the lease does nothing: the bus calls it lost before anybody else may take it, and the last look before a
request asks Redis itself. Taking over is starting: the same fence, the same memory, the same reconciliation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from services.execution.settings import ExecutionSettings
from shared.bus.port import Bus, Claim, Ref
from shared.bus.topics import BINDING
from shared.domain.errors import BusError, ConfigurationInvalid, RevisionConflict
from shared.domain.portfolio import TradingMode
from shared.domain.trading import Binding
from shared.runtime.process import Process

LEASE = timedelta(seconds=4)
TRY_SECONDS = 0.5
WATCH_SECONDS = 0.1
# One that stood by this long takes over from another; one that did not has started.
STOOD_BY = timedelta(seconds=30)

Act = Callable[[Claim, bool], Awaitable[None]]


def lease_name(account: str) -> str:
    return f"execution:{account}"


async def stand(process: Process[ExecutionSettings], account: str, act: Act) -> None:
    """Acts whenever the lease is ours, until the process stops. `act` is told the claim and whether this is a start."""
    began = process.clock.monotonic()
    first = True
    while not process.stopping.is_set():
        claim = await _take(process, account)
        if claim is None:
            process.state = "standby"
            with suppress(TimeoutError):
                await asyncio.wait_for(process.stopping.wait(), TRY_SECONDS)
            continue
        starts = first and process.clock.monotonic() - began < STOOD_BY.total_seconds()
        first = False
        try:
            await _hold(process, claim, act, starts=starts)
        except BusError as error:  # a newer process, or Redis went away while taking over: nothing was sent; the lease is tried for again
            process.report(error)
        await process.clock.sleep(TRY_SECONDS)


async def _take(process: Process[ExecutionSettings], account: str) -> Claim | None:
    try:
        return await process.bus.lease(lease_name(account), ttl=LEASE)
    except BusError as error:
        process.report(error)
        return None


async def _hold(process: Process[ExecutionSettings], claim: Claim, act: Act, *, starts: bool) -> None:
    process.log.info("active", token=claim.token)
    acting = asyncio.ensure_future(act(claim, starts))
    watching = asyncio.ensure_future(_watch(claim))
    try:
        await asyncio.wait({acting, watching}, return_when=asyncio.FIRST_COMPLETED)
        if acting.done():
            acting.result()
        else:
            process.log.warning("lease_lost", token=claim.token)
    finally:
        watching.cancel()
        acting.cancel()
        await asyncio.gather(acting, watching, return_exceptions=True)
        with suppress(BusError):
            await claim.release()


async def _watch(claim: Claim) -> None:
    while not claim.lost:  # noqa: ASYNC110 (a claim is also lost by the clock alone, which sets no event)
        await asyncio.sleep(WATCH_SECONDS)


async def bound(process: Process[ExecutionSettings], account: str, mode: TradingMode, broker: str) -> None:
    """`bind`, tried until Redis answers."""
    while not process.stopping.is_set():
        try:
            await bind(process.bus, process, account, mode, broker)
        except BusError as error:
            process.report(error)
            await process.clock.sleep(TRY_SECONDS)
        else:
            return


async def bind(bus: Bus, process: Process[ExecutionSettings], account: str, mode: TradingMode, broker: str) -> None:
    """Binds this Redis to the account, or checks that it is. Raises ConfigurationInvalid that says how to go on with another."""
    now = process.clock.now()
    mine = Binding(
        id=f"binding|{mode}|{account}",
        at=now,
        made_at=now,
        revision=1,
        config=process.config,
        simulated=process.simulated,
        account=account,
        mode=mode,
        broker=broker,
    )
    with suppress(RevisionConflict):
        await bus.compare_and_set(Ref(BINDING), mine, expected=0)
        return
    standing = await bus.latest(Ref(BINDING))
    if standing is not None and (standing.account, standing.mode) != (account, mode):
        raise ConfigurationInvalid(
            f"this Redis belongs to the {standing.mode} account {standing.account} ({standing.broker}), the keys are those of the "
            f"{mode} account {account} ({broker}); go back to the first account's keys, or archive and start afresh: stop everything, "
            "keep the journal's files, empty Redis (FLUSHDB, or delete its volume) and start again"
        )
