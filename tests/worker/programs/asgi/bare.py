"""An ASGI program that knows HTTP only and says so by an exception, as the specification wants it."""

from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
