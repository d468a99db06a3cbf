"""Requests that have not come yet, or not whole: their connections wait without a thread. What counts as whole is decided here.

A thread is given to a request when all of it is there, or so much that it can be refused: whoever sends letter by letter holds nobody up.
"""

from __future__ import annotations

import re
import socket
from enum import Enum

LONGEST_HEAD = 32 * 1024  # bytes; a browser sends one or two thousand
LONGEST_BODY = 32 * 1024  # bytes; every wish fits. What lies unread must fit into the system's buffer, 64 KiB at least
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_ELSE = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


class Arrival(Enum):
    WHOLE = "give it a thread"
    PARTIAL = "look again later"
    GONE = "nobody is there, or nobody who speaks HTTP"


def arrival_of(heard: bytes) -> Arrival:
    """Of the first bytes of a connection, LONGEST_HEAD and LONGEST_BODY together at most. Of what will be refused the head is enough."""
    head, end, body = heard.partition(b"\r\n\r\n")
    if not end:
        return Arrival.GONE if len(heard) >= LONGEST_HEAD else Arrival.PARTIAL
    length = _LENGTH.search(head + b"\r\n")
    if length is None or _ELSE.search(head) or int(length[1]) > LONGEST_BODY:
        return Arrival.WHOLE
    return Arrival.WHOLE if len(body) >= int(length[1]) else Arrival.PARTIAL


def look_at(connection: socket.socket) -> Arrival:
    """Takes nothing from it."""
    try:
        heard = connection.recv(LONGEST_HEAD + LONGEST_BODY, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return Arrival.PARTIAL
    except OSError:
        return Arrival.GONE
    return arrival_of(heard) if heard else Arrival.GONE


def comes_whole(environ: dict[str, str]) -> bool:
    """Whether a request that has a thread needs nothing more from its sender. One of no said length would, and is refused."""
    return not environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("HTTP_EXPECT")
