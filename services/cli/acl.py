"""Redis's own guard: a user for each process, who may read everything and write only the topics that the contract gives it."""

from __future__ import annotations

from collections.abc import Mapping

from shared.bus.keys import history_of, ids_of, rank_of
from shared.bus.topics import Topic, written_by
from shared.domain.fact import Fact

USERS = ("market_data", "decision", "execution", "archive", "dashboard", "cli")
# Those that share work among replicas, and those of which one is active.
CLAIMING = frozenset({"market_data", "decision", "execution"})
LEASING = {"market_data": "market_data*", "execution": "*", "archive": "archive"}

# What the bus does with them is in shared/bus; everything else, and everything dangerous, is refused.
READING = "+get +mget +exists +scan +xrange +xrevrange +xread +xlen +zscore +subscribe +unsubscribe +info"
WRITING = "+evalsha +eval +script|load +set +del +incr +pexpire +xadd +zadd +publish"
EXPORTED = "(+xtrim +zremrangebyscore ~history:* ~ids:*)"


def lines(hashes: Mapping[str, str]) -> list[str]:
    """The lines of an ACL file. `hashes` are SHA-256 (hex) of each user's password, of `health` and `operator` too."""
    return [
        "user default off",
        f"user operator on #{hashes['operator']} ~* &* +@all",
        f"user health on #{hashes['health']} resetkeys resetchannels -@all +ping +info +hello +auth",
        *(f"user {user} on #{hashes[user]} {rules(user)}" for user in USERS),
    ]


def rules(user: str) -> str:
    """Channels are open to all: permission to subscribe is permission to publish, so a message is never more than a nudge."""
    keys = " ".join("~" + pattern for pattern in writable(user))
    trimming = f" {EXPORTED}" if user == "archive" else ""
    return f"resetkeys %R~* {keys} resetchannels &* -@all +@connection -@dangerous {READING} {WRITING}{trimming}"


def writable(user: str) -> list[str]:
    """Key patterns that a process may write."""
    patterns = [pattern for topic in sorted(written_by(user), key=lambda topic: topic.name) for pattern in topic_patterns(topic, user)]
    patterns.append(f"cursor:{{*}}:{user}*")
    if user in CLAIMING:
        patterns.append("claim:{*}:*")
    if user in LEASING:
        patterns += [f"lease:{{{LEASING[user]}}}", f"fence:{{{LEASING[user]}}}"]
    return patterns


def topic_patterns(topic: Topic[Fact], user: str) -> list[str]:
    """The four keys of each of a topic's facts; of a topic that every process writes, those of this one's own."""
    if topic.scope == "symbol":
        key = topic.name + (":{*}" if topic.parts == "none" else ":{*}*")
    else:
        key = topic.name + {"none": "", "process": f":{user}", "replica": f":{user}:*"}[topic.parts]
    return [key, history_of(key), ids_of(key), rank_of(key)]
