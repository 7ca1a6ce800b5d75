"""The first process of the agent's container: it keeps an agent running, one that works.

An agent that hangs is worse than one that died: nobody starts it anew. So it is killed when it gives no sign of life, and
`/healthz` says so when even that does not help.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from webgarden_listener.heartbeat import Heart
from webgarden_listener.liveness import Liveness
from webgarden_listener.supervising import Ended, Supervisor, pause


def main(port: str, silence: str, *command: str) -> None:
    supervisor = Supervisor("agent")
    heart = Heart(float(silence))
    supervisor.watch(heart.source, heart.hear)
    try:
        Liveness(int(port), supervisor, heart.fresh)
    except OSError as error:
        sys.exit(f"webgarden-listener: WEBGARDEN_AGENT_HEALTH_PORT is {port}, which nobody can listen on: {error}")
    with contextlib.suppress(Ended):
        keep(supervisor, heart, command)


def keep(supervisor: Supervisor, heart: Heart, command: Sequence[str]) -> None:
    """Raises `Ended`."""
    environment = {**os.environ, **heart.environment}
    wait = 0.0
    while True:
        heart.expect()
        end = supervisor.run(command, deadline=heart.deadline, environment=environment)
        wait = pause(end, wait)
        supervisor.say(f"The agent {end}; the next one starts in {wait:.2f} s.")
        supervisor.rest(wait)


if __name__ == "__main__":
    main(*sys.argv[1:])
