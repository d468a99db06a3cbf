"""The server's own guard, made from the contract: a user for each process, who reads every fact and writes only its own.

A process may subscribe to every channel and publish on those of its own topics alone. What it claims begins with the name of a topic it
makes or with its own name, its cursors and leases with its own name; an account's lease and the fences are execution's. The archive may
take exported entries away and write no fact of another. Works on Redis 7.0 and Valkey.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.bus.keys import history_of, ids_of, rank_of
from shared.bus.topics import Topic, written_by

USERS = ("market_data", "decision", "execution", "archive", "dashboard", "cli")
# Those that share work among replicas.
CLAIMING = frozenset({"market_data", "decision", "execution"})

CONNECTING = "+auth +hello +ping +select +client|setname"
READING = "+get +mget +exists +scan +zscore +xrange +xrevrange +xread +xlen +info +subscribe +unsubscribe"
WRITING = "+evalsha +script|load +set +del +incr +pexpire +xadd +zadd"
EXPORTED = "(-@all +xtrim +zremrangebyscore ~history:* ~ids:*)"


def lines(hashes: Mapping[str, str]) -> list[str]:
    """The lines of an ACL file. `hashes` are SHA-256 (hex) of each user's password, of `health` and `operator` too.

    health  asks how the server is and nothing else; operator  a person at the server itself, who may do everything
    """
    return [
        # Nobody can log in as it, yet it may do everything: Redis 7.0 replays its append-only file as the default user, and refuses every
        # transaction in it, silently losing what was written, where that user may not.
        "user default off resetpass ~* &* +@all",
        f"user operator on #{hashes['operator']} ~* &* +@all",
        f"user health on #{hashes['health']} resetkeys resetchannels -@all +auth +hello +ping +info",
        *(f"user {user} on #{hashes[user]} {rules(user)}" for user in USERS),
    ]


def rules(user: str) -> str:
    """What one process may. Channels are given apart, since a permission for a channel is one to subscribe and to publish at once."""
    keys = " ".join("~" + pattern for pattern in writable(user))
    channels = " ".join("&" + pattern for topic in _own(user) for pattern in _keys(topic, user))
    reading = f"resetkeys %R~* {keys} resetchannels &* -@all {CONNECTING} {READING} {WRITING}"
    telling = f"(-@all +publish {channels})" if channels else ""
    return " ".join(piece for piece in (reading, telling, EXPORTED if user == "archive" else "") if piece)


def writable(user: str) -> list[str]:
    """Patterns of the keys that a process may write."""
    keys = [key for topic in _own(user) for key in _keys(topic, user)]
    patterns = [name for key in keys for name in (key, history_of(key), ids_of(key), rank_of(key))]
    patterns += [f"cursor:{{*}}:{user}:*", f"cursor:{{*}}:{user}-*"]
    if user in CLAIMING:
        patterns += [f"claim:{{*}}:{name}*" for name in (user, *(topic.name for topic in _own(user)))]
    whose = "*" if user == "execution" else user + "*"
    return [*patterns, f"lease:{{{whose}}}", f"fence:{{{whose}}}"]


def _own(user: str) -> list[Topic[Any]]:
    return sorted(written_by(user), key=lambda topic: topic.name)


def _keys(topic: Topic[Any], user: str) -> list[str]:
    """Of a topic that every process writes, those of this one's own."""
    if topic.scope == "symbol":
        return [topic.name + (":{*}" if topic.parts == "none" else ":{*}*")]
    return [topic.name + {"none": "", "process": f":{user}", "replica": f":{user}:*"}[topic.parts]]
