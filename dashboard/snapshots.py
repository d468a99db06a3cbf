"""The whole truth in one message: what a browser gets on every connect, and whoever asks for it over HTTP."""

from __future__ import annotations

from dashboard.desk import Desk
from dashboard.wire import dumps
from shared.domain.fact import iso
from shared.runtime.process import VERSION


def snapshot_of(desk: Desk, seq: int) -> str:
    """JSON. Taken under the board's lock, so that what follows it follows it."""
    board = desk.board
    with board.lock:
        fields = {
            "seq": str(seq),
            "server_time": dumps(iso(desk.clock.now())),
            "version": dumps(VERSION),
            "ready": dumps(board.ready),
            "symbols": dumps(board.symbols),
            "timeframe": dumps(str(board.timeframe)),
            "mode": dumps(board.mode),
            "simulated": dumps(board.simulated),
            "bus": desk.relay.greeting if desk.relay else "null",
            **dict(board.pieces()),
        }
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"
