"""A worker for the tests: says what it was asked, counts how many requests run at a time, and can be slow, loud or early.

Started as `python worker_program.py NAME PORT`. What it does depends on the last part of the path only, so that it may stand
behind any application.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys

from aiohttp import WSMsgType, web

running = most = total = 0
name = sys.argv[1]


async def echo(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    await asyncio.sleep(float(request.query.get("seconds", 0)))
    said = {
        "worker": name,
        "method": request.method,
        "path": request.raw_path,
        "sha1": hashlib.sha1(body).hexdigest(),
        "size": len(body),
        "headers": {key.lower(): request.headers.getall(key) for key in request.headers},
    }
    return web.json_response(said, status=int(request.query.get("status", 200)))


async def websocket(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{name}: {message.data}")
    return socket


async def events(request: web.Request) -> web.StreamResponse:
    """One event, and the next when the worker is told `/next`: so a test sees that nothing waits for the end."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(3):
        await response.write(f"data: {number}\n\n".encode())
        await request.app["next"].get()
    return response


async def proceed(request: web.Request) -> web.StreamResponse:
    request.app["next"].put_nowait(None)
    return web.Response()


async def download(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for _ in range(int(request.query["chunks"])):
        await response.write(b"x" * 65536)
    return response


async def early(_request: web.Request) -> web.StreamResponse:
    """An answer before the body has been read."""
    return web.Response(status=413, text="enough")


async def counters(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"most": most, "total": total, "running": running})


ROUTES = {"ws": websocket, "events": events, "next": proceed, "download": download, "early": early}


async def serve(request: web.Request) -> web.StreamResponse:
    global running, most, total
    if request.path.endswith("/_counters"):
        return await counters(request)
    running, total = running + 1, total + 1
    most = max(most, running)
    try:
        return await ROUTES.get(request.path.rpartition("/")[2], echo)(request)
    finally:
        running -= 1


def application() -> web.Application:
    made = web.Application(client_max_size=2**30)
    made["next"] = asyncio.Queue()
    made.router.add_route("*", "/{path:.*}", serve)
    return made


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[2]), print=None, handler_cancellation=True)
