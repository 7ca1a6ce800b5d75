"""What every answer of a worker is, whichever kind of application made it: messages of ASGI in, proper ones out.

- Nothing follows the head of a 204 or 304, and neither has a `Content-Length`: the next answer on the connection would
  be read from the middle of this one.
- How the end of a body is told is the server's affair, so a `Transfer-Encoding` of an application is dropped.
- A worker that is draining closes its connections. It is asked when the answer starts, not when the request came: a
  drain that began meanwhile counts.
"""

from collections.abc import Callable, Iterable

from starlette.types import Message, Send

Header = tuple[bytes, bytes]
_BODILESS = (204, 304)


def proper(send: Send, *, closing: Callable[[], bool]) -> Send:
    bodiless = False

    async def send_properly(message: Message) -> None:
        nonlocal bodiless
        if message["type"] == "http.response.start":
            bodiless = message["status"] in _BODILESS
            message = {**message, "headers": _headers(message, bodiless=bodiless, closing=closing())}
        elif bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_properly


def _headers(message: Message, *, bodiless: bool, closing: bool) -> list[Header]:
    dropped = (b"transfer-encoding", b"content-length") if bodiless else (b"transfer-encoding",)
    given: Iterable[Header] = message.get("headers", ())
    kept = [(name, value) for name, value in given if name.lower() not in dropped]
    return [*kept, (b"connection", b"close")] if closing else kept
