"""Has a SIGTERM handler of its own, set when `WHEN` says, which would end the process; and leaves orphans behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

WHEN = os.environ.get("WHEN")


def clean_up(number: int, frame: FrameType | None) -> None:
    print("signals: cleaned up", flush=True)
    sys.exit(3)


if WHEN == "import":
    signal.signal(signal.SIGTERM, clean_up)
elif WHEN == "ignored":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    if WHEN == "lifespan":
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, loop.stop)
    yield


async def length(request: Request) -> Response:
    if WHEN == "request" and request.method == "GET":
        signal.signal(signal.SIGTERM, clean_up)
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def handler(request: Request) -> Response:
    return PlainTextResponse(str(signal.getsignal(signal.SIGTERM)))


def orphan(request: Request) -> Response:
    """Starts a process that lasts until somebody writes to the pipe, by a parent that does not."""
    subprocess.run(["sh", "-c", f"cat {request.url.query} >/dev/null &"], check=True)
    return PlainTextResponse("left behind")


app = Starlette(
    routes=[
        Route("/", length, methods=["GET", "POST"]),
        Route("/handler", handler),
        Route("/orphan", orphan),
    ],
    lifespan=lifespan,
)
