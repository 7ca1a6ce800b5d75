"""The control port: what the operator asks a worker and tells it. Not for the listener, not for clients.

| request              | answer, each with status 200                                                       |
|----------------------|------------------------------------------------------------------------------------|
| `GET /ping`          | `{"unhealthy": null or the reason}`; no answer from a worker that hangs            |
| `GET /stats`         | counters, memory in bytes, times in seconds; see `Control.stats`                   |
| `POST /drain?wait=S` | `{"draining": true, "inFlight": n}`, when n is 0 or after S seconds (0..3600, 0)   |
| `DELETE /drain`      | the same object: connections are kept again                                        |

A declared ill health is an answer, not an error: the status stays 200, since 5xx would look like a broken control
port. Every request needs the bearer token. Without a token file there is no token, and the port is on loopback.
"""

import hmac
import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webgarden_worker import usage
from webgarden_worker.errors import SettingsError
from webgarden_worker.health import unhealthy_reason
from webgarden_worker.ping import Ping
from webgarden_worker.traffic import Traffic


class Control:
    def __init__(self, *, traffic: Traffic, ping: Ping, pool: str, worker: str) -> None:
        self._traffic = traffic
        self._ping = ping
        self._names = {"pool": pool, "worker": worker}
        self._started = time.monotonic()

    def application(self, *, token: Callable[[], str] | None) -> ASGIApp:
        routes = [
            Route("/ping", self.ping, methods=["GET"]),
            Route("/stats", self.stats, methods=["GET"]),
            Route("/drain", self.drain, methods=["POST"]),
            Route("/drain", self.undrain, methods=["DELETE"]),
        ]
        application = Starlette(routes=routes)
        return Guard(application, token=token) if token else application

    async def ping(self, request: Request) -> Response:
        await self._ping.answered()
        return JSONResponse({"unhealthy": unhealthy_reason()})

    async def stats(self, request: Request) -> Response:
        used = usage.current()
        figures = {
            "inFlight": self._traffic.in_flight,
            "served": self._traffic.served,
            "draining": self._traffic.draining,
            "rss": used.rss,
            "privateMemory": used.private,
            "virtualMemory": used.virtual,
            "cpuSeconds": round(used.cpu_seconds, 3),
            "uptimeSeconds": round(time.monotonic() - self._started, 3),
            "unhealthy": unhealthy_reason(),
        }
        return JSONResponse({**self._names, **figures})

    async def drain(self, request: Request) -> Response:
        wait = _seconds(request.query_params.get("wait", "0"))
        self._traffic.draining = True
        await self._traffic.idle(seconds=wait)
        return self._drain_state()

    async def undrain(self, request: Request) -> Response:
        self._traffic.draining = False
        return self._drain_state()

    def _drain_state(self) -> Response:
        return JSONResponse({"draining": self._traffic.draining, "inFlight": self._traffic.in_flight})


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 3600:
        raise HTTPException(400, "wait is a number of seconds from 0 to 3600")
    return int(text)


class Guard:
    """Lets a request through that carries the token, compared in constant time."""

    def __init__(self, application: ASGIApp, *, token: Callable[[], str]) -> None:
        self._application = application
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._admits(Request(scope)):
            refusal = PlainTextResponse(
                "The control port needs its bearer token\n", 401, headers={"www-authenticate": "Bearer"}
            )
            await refusal(scope, receive, send)
            return
        await self._application(scope, receive, send)

    def _admits(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), self._token().encode())


def token_reader(path: Path) -> Callable[[], str]:
    """Reads the file for every request, so that a rotated Secret holds at once. Raises `SettingsError` now if it cannot."""

    def read() -> str:
        try:
            token = path.read_text().strip()
        except OSError as error:
            raise SettingsError(f"the control token cannot be read: {error}") from None
        if not token:
            raise SettingsError(f"the control token file {path} is empty")
        return token

    read()
    return read
