"""Requests that wait in threads until an asynchronous one, which needs no thread, lets them through one by one."""

import threading
from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

turnstile = threading.Semaphore(0)


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    if environ["PATH_INFO"] == "/endless":
        start_response("200 OK", [])
        return iter(lambda: b"x" * 2**16, None)
    turnstile.acquire()
    start_response("200 OK", [])
    return [b"through"]


def wait(request: Request) -> Response:
    turnstile.acquire()
    return PlainTextResponse("through")


async def let_through(request: Request) -> Response:
    turnstile.release(int(request.query_params["count"]))
    return PlainTextResponse("turned")


asgi = Starlette(routes=[Route("/wait", wait), Route("/let-through", let_through)])
