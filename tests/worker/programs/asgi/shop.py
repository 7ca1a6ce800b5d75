"""A real ASGI program for the tests: what it saw, WebSocket, SSE, uploads, downloads, requests that last."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from webgarden_worker import declare_unhealthy

release = asyncio.Event()
threads = threading.Event()


@contextlib.asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[dict[str, str]]:
    print("shop: started", flush=True)
    yield {"warehouse": "open"}
    print("shop: stopped", flush=True)


async def seen(request: Request) -> Response:
    return JSONResponse(
        {
            "root_path": request.scope["root_path"],
            "path": request.scope["path"],
            "site": request.headers.get("x-webgarden-site"),
            "scheme": request.url.scheme,
            "client": request.client.host if request.client else None,
            "warehouse": request.state.warehouse,
        }
    )


async def hold(request: Request) -> Response:
    """Answers when somebody asks for /release."""
    await release.wait()
    return PlainTextResponse("held")


async def let_go(request: Request) -> Response:
    await request.body()
    release.set()
    return PlainTextResponse("released")


def hold_thread(request: Request) -> Response:
    threads.wait()
    return PlainTextResponse("held")


async def hold_loop(request: Request) -> Response:
    print("shop: holding the loop", flush=True)
    threads.wait()
    return PlainTextResponse("held")


async def echo(request: Request) -> Response:
    digest, length = hashlib.sha256(), 0
    async for chunk in request.stream():
        digest.update(chunk)
        length += len(chunk)
    return JSONResponse({"sha256": digest.hexdigest(), "length": length})


async def download(request: Request) -> Response:
    count = int(request.query_params["mebibytes"])
    return StreamingResponse((b"x" * 2**20 for _ in range(count)), media_type="application/octet-stream")


async def events(request: Request) -> Response:
    async def stream() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await release.wait()
        yield "data: second\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def stream(request: Request) -> Response:
    return StreamingResponse((b"leaf\n" for _ in range(3)), headers={"Transfer-Encoding": "chunked"})


async def bodiless(request: Request) -> Response:
    """Says 204 or 304, and still has a length and a body."""
    status = int(request.query_params["status"])
    return Response(b"weeds", status, headers={"Content-Length": "5", "X-Kept": "yes"})


async def sick(request: Request) -> Response:
    declare_unhealthy("the till is on fire")
    return PlainTextResponse("noted")


async def fail(request: Request) -> Response:
    raise RuntimeError("out of stock")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{websocket.scope['root_path']}: {text}")


app = Starlette(
    routes=[
        Route("/", seen),
        Route("/seen", seen),
        Route("/hold", hold),
        Route("/hold-thread", hold_thread),
        Route("/hold-loop", hold_loop),
        Route("/release", let_go, methods=["GET", "POST"]),
        Route("/echo", echo, methods=["POST"]),
        Route("/download", download),
        Route("/events", events),
        Route("/stream", stream),
        Route("/bodiless", bodiless),
        Route("/sick", sick),
        Route("/fail", fail),
        WebSocketRoute("/talk", talk),
    ],
    lifespan=lifespan,
)
