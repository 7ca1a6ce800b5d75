"""One run of a program: started, fed, listened to, and ended together with everything that it started.

The program leads a process group of its own. When it ends, so does what is left of its group: a process in the background
that still holds the pipe would keep the answer from ending. One that is to go on must leave the group, as daemons do.

What it says on its standard error is logged when it ends, and what is more than `MOST_COMPLAINTS` is read and dropped: a
pipe that nobody reads would stop the program. A daemon that keeps the pipe is not waited for.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_log = logging.getLogger("webgarden_worker")
MOST_COMPLAINTS = 64 * 1024
_PIECE = 64 * 1024
_GRACE_SECONDS = 2.0


class Program:
    def __init__(self, process: asyncio.subprocess.Process, *, name: str) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._stdin = process.stdin
        self._name = name
        self.output = process.stdout
        self._said = bytearray()
        self._dropped = 0
        self._listening = asyncio.create_task(self._listen(process.stderr))
        self._burial = asyncio.create_task(self._bury_group())

    async def feed(self, body: AsyncIterator[bytes]) -> None:
        """A program need not read all that it is sent."""
        with suppress(BrokenPipeError, ConnectionResetError):
            async for piece in body:
                self._stdin.write(piece)
                await self._stdin.drain()
        self._stdin.close()

    async def ended(self) -> int:
        """Its exit code, or the number of a signal, negative."""
        await self._burial
        return await self._process.wait()

    async def end(self) -> None:
        """At the latest now; and say what it said."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._burial), _GRACE_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._burial
        self._stdin.close()
        await asyncio.wait((self._listening,), timeout=_GRACE_SECONDS)
        self._listening.cancel()
        self._report()

    async def _bury_group(self) -> None:
        await self._process.wait()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(_PIECE):
            room = MOST_COMPLAINTS - len(self._said)
            self._said += piece[:room]
            self._dropped += len(piece[room:])

    def _report(self) -> None:
        for line in self._said.decode(errors="replace").splitlines():
            _log.warning("%s: %s", self._name, line)
        if self._dropped:
            _log.warning("%s: wrote %d bytes more on its standard error", self._name, self._dropped)
        if code := self._process.returncode:
            _log.warning("%s: ended with %s", self._name, f"exit code {code}" if code > 0 else f"signal {-code}")


@asynccontextmanager
async def running(command: tuple[str, ...], environment: Mapping[str, str], *, name: str) -> AsyncIterator[Program]:
    """The program, in the directory of its script; it has ended when this is left."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(command[-1]).parent,
        env=environment,
        start_new_session=True,
    )
    program = Program(process, name=name)
    try:
        yield program
    finally:
        await program.end()
