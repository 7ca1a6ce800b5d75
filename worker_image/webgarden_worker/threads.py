"""The threads that run WSGI programs, and whether they get on.

`steps` grows with everything that a thread gets done: a call taken up or finished, a piece of a body that was read or
written, a second of waiting for a client, whose fault it is then. It is a sign and no count; who compares it with what
it was learns that at least one thread is not stuck inside a program.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Threads:
    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="wsgi")
        self.steps = 0

    async def run(self, call: Callable[[], None]) -> None:
        """Call it in a thread, in a copy of this task's context."""
        context = contextvars.copy_context()
        await asyncio.get_running_loop().run_in_executor(self._pool, context.run, self._counted, call)

    def step(self) -> None:
        """Say that the calling thread got on. A step that two threads say at once may count as one."""
        self.steps += 1

    def _counted(self, call: Callable[[], None]) -> None:
        self.step()
        try:
            call()
        finally:
            self.step()
