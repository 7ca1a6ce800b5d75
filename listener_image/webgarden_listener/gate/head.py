"""The head of an HTTP/1.1 request as HAProxy writes it, as far as the gate must understand it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

END = b"\r\n\r\n"
MOST = 128 * 1024
"""Far above what HAProxy lets through (16 KB)."""


@dataclass(frozen=True)
class Head:
    raw: bytes
    upgrade: bool
    body: bool

    @property
    def for_worker(self) -> bytes:
        """The head to send on, which asks the worker to close, since this connection carries one request."""
        return self.raw if self.upgrade else closing(self.raw)


def head(raw: bytes) -> Head:
    """`raw` ends with the empty line."""
    request, *lines = raw[: -len(END)].split(b"\r\n")
    fields = [
        (name.strip().lower(), value.strip().lower()) for name, _, value in (line.partition(b":") for line in lines)
    ]
    tokens = {token.strip() for name, value in fields if name == b"connection" for token in value.split(b",")}
    sized = any(name == b"content-length" and value != b"0" for name, value in fields)
    chunked = any(name == b"transfer-encoding" for name, _ in fields)
    return Head(raw, upgrade=b"upgrade" in tokens or request.startswith(b"CONNECT "), body=sized or chunked)


def closing(raw: bytes) -> bytes:
    lines = raw[: -len(END)].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"keep-alive:"))]
    return b"\r\n".join([*kept, b"Connection: close"]) + END


def answer(status: str, fields: dict[str, str], text: str = "") -> bytes:
    """A whole response that ends the connection."""
    every = {"Content-Type": "text/plain", "Content-Length": str(len(text)), "Connection": "close", **fields}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in every.items())]
    return "\r\n".join(lines).encode() + END + text.encode()


def unavailable(reason: str, retry_after: int) -> bytes:
    fields = {"X-Webgarden-Reason": reason, **({"Retry-After": str(retry_after)} if retry_after > 0 else {})}
    return answer("503 Service Unavailable", fields, "Service Unavailable")
