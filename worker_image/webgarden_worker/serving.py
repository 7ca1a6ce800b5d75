"""The two servers of a worker in one event loop: requests and control.

The server is uvicorn, in use with every ASGI framework, maintained by people who also maintain Starlette: graceful
stop, WebSocket, 100-continue and flow control are its own. Granian was considered: it serves WSGI and ASGI faster, but
one application a process, with its own supervisor and threads of Rust that a ping could not go through. Hypercorn
brings HTTP/2, which the listener does for us.

Order: sockets are opened when everything is loaded and started, control first, so whoever can connect to the
application's port can also ask. When stopping it is the other way round: control answers until the last request ends.

`X-Forwarded-For` and `-Proto` are believed from anywhere: the listener replaces what a client wrote into them, and a
pod that reaches the worker past the listener is for a NetworkPolicy to stop.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from webgarden_worker.errors import WorkerError
from webgarden_worker.protocol import Protocol
from webgarden_worker.settings import Settings
from webgarden_worker.stopping import Stopping

_log = logging.getLogger("webgarden_worker")
# Longer than a connection may idle in the listener's pool: the side that sends requests must be the side that closes,
# or a request crosses with the close and is lost.
KEEP_ALIVE_SECONDS = 620
_CONTROL_SHUTDOWN_SECONDS = 1


class Server(uvicorn.Server):
    """Leaves the signals to `stopping`: uvicorn would raise them again after its end and turn exit code 0 into 143."""

    def __init__(self, config: uvicorn.Config, *, stopping: Stopping) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._stopping.hold(asyncio.get_running_loop())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def unfinished(self) -> int:
        """Requests that still run, or whose answer is still on its way to the client."""
        return max(len(self.server_state.tasks), len(self.server_state.connections))


async def serve(host: ASGIApp, control: ASGIApp, *, settings: Settings, stopping: Stopping) -> int:
    """Serve until told to stop; returns how many requests had to be cut at the time limit."""
    server = Server(_config(host, settings, settings.shutdown_seconds), stopping=stopping)
    control_server = Server(_config(control, settings, _CONTROL_SHUTDOWN_SECONDS), stopping=stopping)
    control_sockets = open_sockets(settings.control_port, loopback=settings.control_token_file is None)
    sockets = open_sockets(settings.port)
    stopping.ends(server)
    controlling = asyncio.get_running_loop().create_task(control_server.serve(control_sockets))
    _log.info("Serving on port %d, control port %d", settings.port, settings.control_port)
    await server.serve(sockets)
    cut = server.unfinished()  # Before the next await, in which the cancelled requests would vanish.
    control_server.should_exit = True
    await controlling
    return cut


def _config(application: ASGIApp, settings: Settings, shutdown_seconds: int) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        interface="asgi3",
        http=Protocol,
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        forwarded_allow_ips="*",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
    )


def open_sockets(port: int, *, loopback: bool = False) -> list[socket.socket]:
    """One for IPv4 and one for IPv6, not one for both: that shows IPv4 clients as ::ffff:10.0.0.1 to applications."""
    try:
        if loopback:
            return [socket.create_server(("127.0.0.1", port))]
        return [socket.create_server(("", port)), *_ipv6_sockets(port)]
    except OSError as error:
        raise WorkerError(f"port {port} cannot be opened: {error}") from None


def _ipv6_sockets(port: int) -> list[socket.socket]:
    """None on a node without IPv6, where nobody would connect that way."""
    try:
        return [socket.create_server(("::", port), family=socket.AF_INET6)]
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return []
        raise
