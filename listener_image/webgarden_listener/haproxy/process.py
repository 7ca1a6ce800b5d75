"""The first process of HAProxy's container: it keeps an HAProxy running, with files made of the last table.

They are made anew before each start (`boot`), so what had become of them does not matter. When that fails, those of the
start before have to do: the disk may be full, and the agent brings HAProxy to the present anyway. When HAProxy refuses
them, they are made for an empty table, and then for the whole one again, since it may not have been the reason. A listener
that knows too little for a moment is better than one that is down.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

from webgarden_listener.haproxy.logpipe import LogPipe
from webgarden_listener.supervising import End, Ended, Supervisor, pause

BOOT_SECONDS = 60.0
"""Most time to make the files: more than any table takes."""
REFUSED = 1
"""HAProxy's exit code when it cannot start. One that has started ends with 0 or with a signal's."""


def main(program: str, config: str, *boot: str) -> None:
    pipe = LogPipe()
    haproxy = HAProxy(Supervisor("haproxy"), [program, "-db", "-f", config], pipe.sink)
    with contextlib.suppress(Ended):
        haproxy.keep(boot)
    pipe.close()


class HAProxy:
    def __init__(self, supervisor: Supervisor, command: Sequence[str], output: int) -> None:
        self._supervisor = supervisor
        self._command = command
        self._output = output

    def keep(self, boot: Sequence[str]) -> None:
        """Raises `Ended`."""
        wait, empty = 0.0, False
        while True:
            made = self._boot([*boot, "--empty"] if empty else boot)
            end = self._serve()
            empty = not empty and (not made or end.code == REFUSED)
            wait = pause(end, wait)
            self._supervisor.rest(wait)

    def _boot(self, command: Sequence[str]) -> bool:
        limit = time.monotonic() + BOOT_SECONDS
        end = self._supervisor.run(command, deadline=lambda: limit)
        if end.code:
            self._supervisor.say(f"HAProxy's files could not be made, so the old ones have to do: boot {end}.")
        return end.code == 0

    def _serve(self) -> End:
        end = self._supervisor.run(self._command, output=self._output)
        what = "cannot start with its files" if end.code == REFUSED else "is started anew"
        self._supervisor.say(f"HAProxy {what}: it {end}.")
        return end


if __name__ == "__main__":
    main(*sys.argv[1:])
