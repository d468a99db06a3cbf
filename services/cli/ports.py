"""Ports on this machine: whether one is free, and a free one instead."""

from __future__ import annotations

import socket


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free(host: str = "127.0.0.1") -> int:
    """Free now: the system hands out another number to whoever asks next."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def preferred(port: int) -> tuple[int, bool]:
    """`port` when it is free, else another; and whether it is the one preferred."""
    return (port, True) if is_free(port) else (free(), False)
