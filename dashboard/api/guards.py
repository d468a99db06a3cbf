"""What stands between a person and trading: what must be true for any account, and what real money asks besides."""

from __future__ import annotations

from datetime import datetime

from dashboard import auth
from dashboard.answers import Refusal
from dashboard.board import ALIVE_WITHIN
from dashboard.desk import Desk
from shared.bus.port import Bus, Ref
from shared.bus.topics import ACCOUNT, HALT, HEARTBEAT, TRADING_EFFECTIVE


async def missing_for_on(bus: Bus, desk: Desk) -> dict[str, str]:
    """What must be true before trading may be asked for: code to sentence. Execution knows the rest and says it in its own `missing`."""
    halt, effective, account = await bus.latest_of([Ref(HALT), Ref(TRADING_EFFECTIVE), Ref(ACCOUNT)])
    missing: dict[str, str] = {}
    if halt is not None:
        missing["not_halted"] = f"halted ({halt.reason or halt.code}); end the halt first"
    if not await _executing(bus, desk.clock.now()):
        missing["execution"] = "the execution process is not running"
    elif effective is None:
        missing["execution"] = "the execution process has not reported what it does yet"
    else:
        # What confirms real money comes with the wish itself.
        missing = {code: text for code, text in effective.missing.items() if code != "live_confirmed"} | missing
        if effective.state == "starting":
            missing.setdefault("reconciled", "the execution process is starting: it reconciles with the broker first")
    if account is not None and account.blocked:
        missing["account_blocked"] = f"the broker refuses trading: {account.blocked}"
    return missing


async def _executing(bus: Bus, now: datetime) -> bool:
    """As Redis knows it: the board looks at heartbeats now and then, and would refuse whoever asks right after execution has started."""
    refs = [ref for ref in await bus.refs(HEARTBEAT) if (ref.part or "").startswith("execution:")]
    return any(beat is not None and now - beat.made_at <= ALIVE_WITHIN for beat in await bus.latest_of(refs))


def live_guards(desk: Desk, phrase: str, password: str, code: str, revision: int) -> str:
    """The account that was confirmed. Raises Refusal 403, 412, 428; TooManyAttempts."""
    account = desk.board.account
    who = auth.identity()
    if account is None or who is None:
        raise Refusal(412, "preflight", "the account is not known yet", missing={"account": "the broker has not reported the account yet"})
    if not desk.doorman.login_required:
        text = "real money is switched on only behind a password: set DASHBOARD_PASSWORD and restart the dashboard"
        raise Refusal(412, "preflight", text, missing={"password": text})
    expected = f"LIVE {account.account[-4:]}"
    if phrase != expected:
        raise Refusal(403, "phrase", "the typed phrase does not match; it is LIVE and the last four characters of the account")
    if not auth.freshly_confirmed():
        if not password:
            raise Refusal(403, "password", "real money asks for the password (and the one-time code, where one is set up) once more")
        if not desk.doorman.proves(password, code, auth.address(), who.user):
            raise Refusal(403, "password", "wrong password or code")
        auth.confirm()
    left = desk.countdown.left(f"{who.kind} {who.name} {who.login}", revision)
    if left > 0:
        raise Refusal(428, "countdown", f"real money in {left:.0f} s: ask again, unchanged, when they are over", seconds=round(left, 1))
    return account.account
