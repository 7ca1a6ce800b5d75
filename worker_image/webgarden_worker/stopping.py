"""Stopping a worker: SIGTERM or SIGINT once to finish, twice to quit at once.

The handlers are set before the first application is imported, because the kernel ignores a signal that PID 1 has no
handler for. Until the port is open there is nothing to finish, and the process ends with 0. From then on the server
stops accepting and finishes what runs; a second signal ends the process with 143 (128 + SIGTERM).

A program may set handlers of its own, when it is imported, starts or serves. They would end the process in the middle of
others' requests, or not at all. So they are taken back again and again, and the program's are called when the last
request is done. Those that it gave to the event loop (`add_signal_handler`) are not: nobody can ask the loop for them.

Threads cannot be cancelled, and an interpreter waits for them when it exits. So the first signal also arms a watchdog
in C (`faulthandler`) that needs neither the event loop nor the interpreter's lock: some seconds past the limit it
writes every thread's stack, which is what one wants to know about a worker that would not stop, and exits with 1.
"""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

_log = logging.getLogger("webgarden_worker")
_AFTER_REQUESTS_SECONDS = 5  # for the lifespans' shutdown and the interpreter's own
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server(Protocol):
    """What is told to stop: a uvicorn server."""

    should_exit: bool


class Stopping:
    def __init__(self, *, limit_seconds: int) -> None:
        self._limit = limit_seconds
        self._server: Server | None = None
        self._asked: int | None = None
        self._programs: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def hold(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Set the handlers, again if a program has replaced them, also by the running loop's."""
        for number in _SIGNALS:
            if loop is not None:
                loop.remove_signal_handler(number)
            found = signal.getsignal(number)
            if found == self._handle:
                continue
            # Not loop.add_signal_handler: a second signal must end a process whose loop hangs.
            signal.signal(number, self._handle)
            if callable(found) and found is not signal.default_int_handler:
                self._programs[number] = found

    def ends(self, server: Server) -> None:
        """From now on the first signal stops this server."""
        self._server = server

    def tell_programs(self) -> None:
        """Call the handler that a program had for the signal which came. What it raises to end the process is nothing
        new; the watchdog ends one that does not return."""
        if self._asked is None or (handler := self._programs.get(self._asked)) is None:
            return
        try:
            handler(self._asked, None)
        except (SystemExit, KeyboardInterrupt):
            return
        except Exception:
            _log.exception("A program's handler of signal %d failed", self._asked)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._server is None:
            _quit(0, "Stopped before any request was accepted")
        elif self._asked is not None:
            _quit(128 + number, "Told to stop a second time: quitting at once")
        else:
            self._asked = number
            _log.info("Stopping: finishing the requests in hand, at most %d s", self._limit)
            faulthandler.dump_traceback_later(self._limit + _AFTER_REQUESTS_SECONDS, exit=True, file=sys.stderr)
            self._server.should_exit = True


def _quit(code: int, message: str) -> None:
    _log.info(message)
    logging.shutdown()
    os._exit(code)  # sys.exit would raise inside whatever runs now, and an application may catch it.
