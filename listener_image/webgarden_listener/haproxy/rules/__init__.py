"""What is done with a request, as stages in one order; a module each.

| stage         | what for                                                                  |
|---------------|---------------------------------------------------------------------------|
| `accepting`   | the ports                                                                 |
| `normalising` | one spelling of a path                                                    |
| `routing`     | host and path to site and pool                                            |
| `filtering`   | what no application may see                                               |
| `limiting`    | whether the pool takes the request now, and how long it may wait          |
| `forwarding`  | what the worker learns of the client                                      |
| `answering`   | the answers of the listener itself: each has its reason                   |
| `logging`     | which requests are logged, and how                                        |

A stage has lines for the frontend (`frontend`), for every pool (`pool`), and for the backend of those that have no pool
(`refusal`), so that a request which is served passes no rule about refusing. HAProxy runs them in this order, first all
of the frontend.

No rule ends a list but with an answer: an `allow` would make whatever is added below it dead. There is one, between the
stages that look at every answer and those that look at the listener's own: a worker's passes eight rules less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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

Stage = Callable[[Frame], Iterator[str]]

FRONTEND: tuple[Stage, ...] = (
    accepting.frontend,
    normalising.frontend,
    routing.frontend,
    filtering.frontend,
    limiting.frontend,
    forwarding.frontend,
    answering.every,
    answering.workers_pass,
    answering.own,
    logging.own,
)
POOL: tuple[Stage, ...] = (limiting.pool, forwarding.pool, answering.pool)
REFUSAL: tuple[Stage, ...] = (filtering.refusal, routing.refusal, limiting.refusal)


def lines(stages: tuple[Stage, ...], frame: Frame) -> Iterator[str]:
    for stage in stages:
        yield from stage(frame)
