"""How many file descriptors HAProxy needs for its clients, and how many clients fit into those that it may have.

Too few of them would show under load alone, as connections that nobody accepts. So it is found out at the start, and said.
"""

from __future__ import annotations

import logging
import resource

OWN = 200
"""Listening sockets, health, metrics, the agent's orders, files."""
CLIENT, RING = 2, 3
"""A client and its worker; a pool that rings, to the bell, from it, and on to the agent."""
RINGING = 10
"""One in so many clients is the one with whom a pool rings."""
log = logging.getLogger(__name__)


def provide(wanted: int) -> int:
    """Allow this process, and what it becomes, all that it may have; how many of the wanted connections fit."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    fit = fitting(wanted, limit)
    if fit < wanted:
        log.error(
            "The limit of %d open files allows %d client connections, so it is not WEBGARDEN_CONNECTIONS=%d of them: "
            "these need a hard limit (ulimit -n) of %d.", limit, fit, wanted, needed(wanted),
        )  # fmt: skip
    return fit


def needed(connections: int) -> int:
    return OWN + CLIENT * connections + RING * (connections // RINGING)


def fitting(wanted: int, limit: int) -> int:
    """At least one, whatever the limit: HAProxy takes none for as many as it likes."""
    return max(1, min(wanted, (limit - OWN) * RINGING // (CLIENT * RINGING + RING)))
