"""Where the process under test may be killed or frozen: a name for the moment before and after every await of the order path.

before recording an intent        the recorder's batch, by what is in it: intent, order, outcome, fill, position
before recording protection       the batch with an order that is to rest; after sending protection: it rests, and nothing was made of that
before looking once more          the last look, on the thread that sends
before the first byte             it said yes, and nothing has left yet
before the answer                 the request has left
after sending an order            the answer is here and nothing was made of it
before asking for ...             every other question to the broker
before moving the cursor          a decision's outcome is recorded
before taking the lease, raising the fence, remembering                becoming the active process
before taking an update           the broker's stream

Moments count from when the file named by FAULT_ARMED stands: a story says so, once trading is on and whoever is to take over stands by.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

ASKED = {
    "account": "asking for the account",
    "asset": "asking for an instrument",
    "order_by_client_id": "asking by client order id",
    "order": "asking for an order",
    "open_orders": "asking for open orders",
    "orders_since": "asking for recent orders",
    "fills_since": "asking for fills",
    "cash_flows_since": "asking for cash flows",
    "positions": "asking for positions",
    "cancel": "cancelling an order",
    "submit": "sending an order",
}
STEPS = {
    "lease": "taking the lease",
    "raise_fence": "raising the fence",
    "history": "remembering",
    "commit": "moving the cursor",
}
RECORDED = {"intent": "an intent", "order": "an order", "outcome": "an outcome", "fill": "a fill", "position": "a position"}


class Point:
    """One fault: `<kill|freeze> <before|after> <what>[ #n]`, at the n-th time since `armed` stands. Strikes once. Empty: none."""

    def __init__(self, text: str, armed: Path) -> None:
        self.deed, _, rest = text.partition(" ")
        self.moment, _, number = rest.partition(" #")
        self._number = int(number or 1)
        self._armed = armed
        self._passed = 0
        self._lock = threading.Lock()

    def passing(self, moment: str) -> None:
        """From any thread. Does not return where the process is killed here."""
        if moment != self.moment or not self._armed.exists():
            return
        with self._lock:
            self._passed += 1
            strikes = self._passed == self._number
        if strikes:
            # To this thread, which takes it before it does anything more; both strike the whole process.
            signal.pthread_kill(threading.get_ident(), signal.SIGKILL if self.deed == "kill" else signal.SIGSTOP)
