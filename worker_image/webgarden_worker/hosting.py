"""A worker's life, put together: settings, applications, servers, end."""

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence
from importlib.metadata import version

from anyio import to_thread
from uvicorn.loops.auto import auto_loop_factory

from webgarden_worker import logs, settings
from webgarden_worker.control import Control, token_reader
from webgarden_worker.errors import WorkerError
from webgarden_worker.host import Host
from webgarden_worker.lifespans import Lifespans
from webgarden_worker.loading import Loaded, load
from webgarden_worker.ping import Ping
from webgarden_worker.routes import Routes
from webgarden_worker.serving import serve
from webgarden_worker.settings import Settings
from webgarden_worker.stopping import Stopping
from webgarden_worker.threads import Threads
from webgarden_worker.traffic import Traffic

LEAST_THREADS = 40
"""Of synchronous ASGI endpoints and of files, as everywhere with anyio. `WEBGARDEN_THREADS` may be 1 for the sake of a
WSGI program, and they are not meant then."""
_log = logging.getLogger("webgarden_worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    _parser().parse_args(arguments)
    logs.set_up(pool=os.environ.get("WEBGARDEN_POOL", "-"), worker=os.environ.get("WEBGARDEN_WORKER", "-"))
    try:
        return run(Settings.from_environment(os.environ))
    except WorkerError as error:
        if error.__cause__ is not None:
            _log.error("What the application raised:", exc_info=error.__cause__)
        # The last line, where `kubectl describe` finds it (terminationMessagePolicy: FallbackToLogsOnError).
        _log.error("Cannot serve: %s", error)
        return 1


def run(settings: Settings) -> int:
    stopping = Stopping(limit_seconds=settings.shutdown_seconds)
    stopping.hold()
    threads = Threads(settings.threads)
    loaded = load(settings.applications, threads=threads)
    stopping.hold()
    logs.switch_on_again()
    logs.describe(settings)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        cut = runner.run(host(loaded, settings=settings, threads=threads, stopping=stopping))
    stopping.tell_programs()
    _log.info("Stopped") if not cut else _log.error("Stopped at the time limit: %d requests were cut", cut)
    return 1 if cut else 0


async def host(loaded: Sequence[Loaded], *, settings: Settings, threads: Threads, stopping: Stopping) -> int:
    """Serve until told to stop; returns how many requests had to be cut."""
    to_thread.current_default_thread_limiter().total_tokens = max(LEAST_THREADS, settings.threads)
    traffic = Traffic()
    lifespans = Lifespans(loaded)
    routes = Routes((one.application.site, one.application.path, one.asgi) for one in loaded)
    control = Control(traffic=traffic, ping=Ping(threads=threads), pool=settings.pool, worker=settings.worker)
    token = token_reader(settings.control_token_file) if settings.control_token_file else None
    await lifespans.start()
    try:
        return await serve(
            Host(routes=routes, lifespans=lifespans, traffic=traffic, empty=not loaded, pool=settings.pool),
            control.application(token=token),
            settings=settings,
            stopping=stopping,
        )
    finally:
        await lifespans.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="webgarden-worker",
        description="Host the applications of an application pool.",
        epilog=settings.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('webgarden')}")
    return parser
