"""The one path to the broker, for decisions, commands and protective triggers alike.

    origin → what stands of it already → instrument, hours, price, money → target → sizing → gate → opposite orders withdrawn → submitted

Each origin has one outcome chain and, at most, one order. Taken twice, it finds what it did the first time.
"""

from __future__ import annotations

from decimal import Decimal

from services.execution.adopting import adopt, hand_over
from services.execution.broker import BrokerOrder
from services.execution.desk import Desk
from services.execution.following import Following
from services.execution.origin import Origin
from services.execution.recent import Recent
from services.execution.resolving import Resolving
from services.execution.submitting import Ask, Done, Step, Stop, Submitting, Wait, Want
from shared.domain.errors import BrokerError, BrokerUnavailable
from shared.domain.orders import Intent, OrderTerms, client_order_id
from shared.risk.limits import Verdict, gate
from shared.risk.situation import Proposal
from shared.risk.sizing import size_entry, size_exit
from shared.trading.increments import quantity_down
from shared.trading.protection import NO_LEVELS, levels_of
from shared.trading.states import Barrier, Effect, barrier
from shared.trading.targets import Aim, aim
from shared.trading.terms import entry_terms, exit_terms

CANCEL_SECONDS = 10.0
IN_FORCE_SECONDS = 5.0
CLOSING_SECONDS = 60.0  # a person's or a protective order is tried again this long while it certainly was not sent
ZERO = Decimal(0)


class Path:
    def __init__(self, desk: Desk, following: Following, submitting: Submitting, resolving: Resolving) -> None:
        self._desk = desk
        self._following = following
        self._submitting = submitting
        self._resolving = resolving
        self._looked_up: Recent[str, None] = Recent()

    async def follow(self, origin: Origin) -> Done:
        """Returns once nothing is left to be done for this origin but to wait for its fills.

        Raises FenceLost, and nothing that the broker does: that becomes an outcome.
        """
        began = self._desk.clock.monotonic()
        while True:
            async with self._desk.lock(origin.symbol):
                step = await self._step(origin)
            if isinstance(step, Done):
                self._desk.guard(origin.symbol)
                return step
            if isinstance(step, Ask):
                await self._resolving.resolve(step.intent)
            elif origin.kind != "decision" and self._desk.clock.monotonic() - began > CLOSING_SECONDS:
                return self._give_up(origin, step)
            else:
                await self._desk.clock.sleep(step.seconds)

    def _give_up(self, origin: Origin, step: Wait) -> Done:
        return self._submitting.stop(origin, Barrier("expired", f"it could not be sent in time: {step.why}"), (), self._pending(origin))

    # ---- what stands already ---------------------------------------------------------------------------------------------------
    def _standing(self, origin: Origin) -> Intent | None:
        """The intent that this origin has led to; also where only the broker still knows of it."""
        books = self._desk.books
        for leg in ("entry", "exit") if origin.kind == "decision" else (origin.leg,):
            name = client_order_id(books.account_id, origin.id, leg)
            if found := books.intent(name):
                return found if found.origin_id == origin.id else hand_over(self._desk, self._following, origin, leg, found)
            if order := books.order_of(name):
                return adopt(self._desk, self._following, origin, leg, order)
        return None

    def _pending(self, origin: Origin) -> Intent | None:
        found = self._standing(origin)
        return found if found is not None and found.state == "intent" else None

    async def _step(self, origin: Origin) -> Step:
        books = self._desk.books
        standing = self._standing(origin)
        if standing is not None and standing.state in {"submitted", "unknown"}:
            return Ask(standing)
        if standing is not None and standing.state != "intent":
            return Done(books.order(standing.order_id or ""))
        if books.chain(origin.symbol, origin.id).final:
            return Done()
        if standing is None and (found := self._unresolved_before(origin)):
            return found
        if standing is None and origin.id not in self._looked_up and self._desk.is_doubted(origin):
            return await self._look_up(origin)
        if origin.expires is not None and self._desk.clock.now() >= origin.expires and standing is None:
            return self._submitting.stop(origin, Barrier("expired", "the command is past its time"), (), None)
        try:
            return await self._attempt(origin, standing)
        except BrokerUnavailable as error:
            self._desk.report(error, symbol=origin.symbol)
            stale = self._too_old(origin)
            if stale is not None:
                return self._submitting.stop(origin, stale, (), standing)
            return Wait(error.retry_after_seconds or 0.5, str(error))

    async def _look_up(self, origin: Origin) -> Wait:
        """What this origin may have led to without the journal's knowing: a later turn finds it, if it is there."""
        try:
            await self._resolving.look_up([client_order_id(self._desk.books.account_id, origin.id, leg) for leg in self._legs(origin)])
        except BrokerError as error:
            self._desk.report(error, symbol=origin.symbol)
            return Wait(getattr(error, "retry_after_seconds", None) or 0.5, str(error))
        self._looked_up.put(origin.id, None)
        return Wait(0.0, "the broker was asked first")

    def _legs(self, origin: Origin) -> tuple[str, ...]:
        if origin.kind != "decision":
            return (origin.leg,)
        if self._desk.limits.allow_short:
            return ("entry", "exit")
        return ("entry",) if origin.action == "buy" else ("exit",)

    def _unresolved_before(self, origin: Origin) -> Ask | None:
        """An earlier order of the symbol whose fate is unknown comes first; only a person and protection do not wait for it."""
        if origin.kind != "decision":
            return None
        unresolved = [one for one in self._desk.books.unresolved(origin.symbol) if one.state != "intent"]
        return Ask(unresolved[0]) if unresolved else None

    def _too_old(self, origin: Origin) -> Barrier | None:
        if origin.made_at is None or self._desk.clock.now() - origin.made_at <= self._desk.limits.max_decision_age:
            return None
        return Barrier("decision_stale", "the broker could not be asked while the decision was young enough")

    # ---- the plan --------------------------------------------------------------------------------------------------------------
    async def _attempt(self, origin: Origin, pending: Intent | None) -> Step:
        desk = self._desk
        if (early := self._early(origin)) is not None:
            return self._submitting.stop(origin, early, (), pending)
        if (unready := self._not_in_force(origin, pending)) is not None:
            return unready
        await desk.prepare(origin.symbol, entering=origin.action in {"buy", "sell"})
        for _ in range(4):
            if desk.books.is_doubted(origin.symbol):
                await desk.read_positions()
            if outdated := self._entries_against(origin):
                await self._following.withdraw(outdated, seconds=CANCEL_SECONDS)
            wish = self._aim(origin, pending)
            if wish.side is None:
                return self._submitting.stop(origin, Barrier(wish.code, wish.reason), (), pending)
            if wish.leg != "entry" and not desk.is_known(origin.symbol):
                await desk.read_positions()
                continue
            standing = [order for order in desk.books.open_orders(origin.symbol) if desk.books.is_ours(order)]
            entering = wish.leg == "entry"
            if standing or desk.lane(origin.symbol, entering=entering).locked():  # a refusal waits for nobody, and withdraws nothing
                verdict = self._judge(origin, wish, pending)
                if verdict.stopped is not None:
                    return self._submitting.stop(origin, verdict.stopped, verdict.checks, pending)
            if not standing:
                return await self._submitting.submit(origin, lambda: self._planned(origin, pending), entering=entering, pending=pending)
            # Ours are in the way: opposite ones as a wash trade, those of the same side by the units they have reserved.
            await self._following.withdraw(standing, seconds=CANCEL_SECONDS)
        return Wait(0.5, "orders of the symbol keep changing")

    def _not_in_force(self, origin: Origin, pending: Intent | None) -> Done | Wait | None:
        """The switch is on and something is still missing. What is about to be in force is waited for, for a moment."""
        desk = self._desk
        if (
            origin.made_at is None
            or desk.acting
            or barrier("reduce", desk.views.switches(origin.symbol), mode=desk.scribe.mode, account=desk.scribe.account)
        ):
            return None  # not a decision, in force, or a matter of the switch, which the gate looks at
        if (desk.clock.now() - origin.made_at).total_seconds() < IN_FORCE_SECONDS:
            return Wait(0.1, "trading is about to be in force")
        return self._submitting.stop(origin, Barrier("not_ready", desk.not_acting or "trading is not in force"), (), pending)

    def _entries_against(self, origin: Origin) -> list[BrokerOrder]:
        """Entries still working towards what the decision turns away from: what they would yet fill must not come."""
        if origin.action not in {"buy", "sell"}:
            return []
        books = self._desk.books
        entries = [one for one in books.working_entries(origin.symbol) if one.terms.side != origin.action]
        return [order for one in entries if (order := books.orders.get(one.order_id or "")) is not None]

    def _early(self, origin: Origin) -> Barrier | None:
        """Two answers that need nobody to be asked."""
        if origin.kind != "decision":
            return None
        newest = self._desk.views.decided.get(origin.symbol)
        if newest is not None and origin.at < newest:
            return Barrier("superseded", "a newer decision of this symbol came first")
        if origin.action == "hold":
            return Barrier("hold", "the decision is to hold")
        return None

    def _aim(self, origin: Origin, pending: Intent | None) -> Aim:
        desk = self._desk
        if origin.action is not None:
            limits = desk.limits
            wish = aim(origin.action, desk.held(origin.symbol), allow_adding=limits.allow_adding, allow_short=limits.allow_short)
        else:
            held = desk.books.held(origin.symbol)
            if not held:
                return Aim(code="already_flat", reason="there is no position to close")
            wish = Aim(side="sell" if held > 0 else "buy", leg="close")
        with desk.books.aside(pending):
            closing = desk.books.closing(origin.symbol)
        if wish.leg != "entry" and closing and origin.kind != "command":
            return Aim(code="exit_working", reason="the position is being closed already")
        return wish

    def _planned(self, origin: Origin, pending: Intent | None) -> Want | Stop | Wait:
        if self._desk.books.is_doubted(origin.symbol):
            return Wait(0.0, "what is held has to be asked")
        return self._plan(origin, pending)

    def _plan(self, origin: Origin, pending: Intent | None) -> Want | Stop:
        """Everything that is decided, at one moment."""
        wish = self._aim(origin, pending)
        if wish.side is None:
            return Stop(Barrier(wish.code, wish.reason), ())
        verdict = self._judge(origin, wish, pending)
        if verdict.stopped is not None:
            return Stop(verdict.stopped, verdict.checks)
        leg = str(wish.leg) if origin.kind == "decision" else origin.leg
        return Want(
            origin=origin,
            effect=self._effect(origin, wish),
            leg=leg,
            terms=self._terms(origin.symbol, wish, verdict.quantity),
            checks=verdict.checks,
            pending=pending if pending is not None and pending.leg == leg else None,
            inputs=self._desk.deciding_facts(),
        )

    @staticmethod
    def _effect(origin: Origin, wish: Aim) -> Effect:
        if origin.kind != "decision":
            return origin.effect
        return "entry" if wish.leg == "entry" else "reduce"

    def _judge(self, origin: Origin, wish: Aim, pending: Intent | None) -> Verdict:
        desk, effect = self._desk, self._effect(origin, wish)
        assert wish.side is not None
        with desk.books.aside(pending):
            quantity = self._quantity(origin, wish)
            if wish.adds and not quantity:
                return Verdict(ZERO, Barrier("on_target", "the position is as large as sizing gives"), ())
            if pending is not None and effect == "entry":
                quantity = min(quantity, pending.terms.quantity)
            proposal = Proposal(effect=effect, side=wish.side, quantity=quantity, made_at=origin.made_at, decided_price=origin.price)
            return gate(proposal, desk.situation(proposal, origin.symbol), desk.limits)

    def _quantity(self, origin: Origin, wish: Aim) -> Decimal:
        desk, symbol = self._desk, origin.symbol
        asset, account, paid = desk.known_asset(symbol), desk.books.account, desk.paid(symbol, wish.side)
        if asset is None:
            return ZERO
        if wish.leg != "entry":
            units = size_exit(held=desk.books.held(symbol), available=desk.available(symbol), asset=asset)
            return units if origin.limit is None else min(units, quantity_down(asset, origin.limit))
        if account is None or paid is None:
            return ZERO
        return size_entry(desk.trade_settings(), equity=account.equity, price=paid, asset=asset, held=desk.held(symbol)).quantity

    def _terms(self, symbol: str, wish: Aim, quantity: Decimal) -> OrderTerms:
        desk, settings = self._desk, self._desk.settings
        asset, session, price = desk.known_asset(symbol), desk.session(symbol)[0], desk.paid(symbol, wish.side)
        assert asset is not None
        assert wish.side is not None
        form = desk.broker.abilities.form(symbol, quantity)
        if wish.leg != "entry" or price is None:
            extended = desk.limits.extended_hours
            return exit_terms(wish.side, quantity, price=price, asset=asset, form=form, session=session, extended=extended)
        levels = NO_LEVELS
        if not wish.adds:  # an addition's exits would stand beside those of the position
            stop, target = settings.stop_loss_percent, settings.take_profit_percent
            levels = levels_of(wish.side, price, asset, stop_percent=stop, target_percent=target)
        return entry_terms(wish.side, quantity, price=price, asset=asset, form=form, session=session, levels=levels)
