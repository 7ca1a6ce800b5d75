"""What is done with a request, as stages in one order; a module each.

| stage         | what for                                                                  |
|---------------|---------------------------------------------------------------------------|
| `accepting`   | the ports                                                                 |
| `filtering`   | what no application may see                                               |
| `normalising` | one spelling of a path                                                    |
| `routing`     | host and path to site and pool                                            |
| `limiting`    | whether the pool takes the request now, and how long it may wait          |
| `forwarding`  | what the worker learns of the client                                      |
| `answering`   | the answers of the listener itself: each has its reason                   |
| `logging`     | which requests are logged, and how                                        |

A stage has lines for the frontend (`frontend`) and for every pool (`pool`), which HAProxy runs in this order, first all
of the frontend. No rule ends the list but with an answer: an `allow` would make whatever is added below it dead.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules import (
    accepting,
    answering,
    filtering,
    forwarding,
    limiting,
    logging,
    normalising,
    routing,
)
from webgarden_listener.haproxy.rules.frame import Frame

FRONTEND = (
    accepting.frontend,
    filtering.frontend,
    normalising.frontend,
    routing.frontend,
    limiting.frontend,
    forwarding.frontend,
    answering.frontend,
    logging.frontend,
)
POOL = (limiting.pool, answering.pool)


def frontend(frame: Frame) -> Iterator[str]:
    for stage in FRONTEND:
        yield from stage(frame)


def pool(frame: Frame) -> Iterator[str]:
    for stage in POOL:
        yield from stage(frame)
