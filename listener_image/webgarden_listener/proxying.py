"""The PROXY protocol's version 2 header, as far as HAProxy sends it with a ring. Pure.

Source: https://www.haproxy.org/download/3.4/doc/proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PREFIX = 16
ADDRESSES = {0x1: 12, 0x2: 36, 0x3: 216}
BACKEND, ARRIVAL = 0xE0, 0xE1


class ProxyError(Exception):
    """These bytes are no such header."""


@dataclass(frozen=True)
class Origin:
    """Which pool rings, and for a request of when."""

    backend: str
    arrival: float
    """Seconds since the epoch when HAProxy had read the request; 0 when it did not say."""


def rest(prefix: bytes) -> int:
    """How many bytes follow the first `PREFIX`. Raises `ProxyError`."""
    if len(prefix) != PREFIX or not prefix.startswith(SIGNATURE) or prefix[12] >> 4 != 2:
        raise ProxyError("not a PROXY protocol version 2 header")
    return int(struct.unpack("!H", prefix[14:16])[0])


def origin(prefix: bytes, body: bytes) -> Origin:
    """Raises `ProxyError`."""
    size = ADDRESSES.get(prefix[13] >> 4, 0)
    found = values(body[size:])
    if BACKEND not in found:
        raise ProxyError("the header does not name a backend")
    return Origin(
        backend=found[BACKEND].decode(errors="replace"),
        arrival=milliseconds(found.get(ARRIVAL, b"")) / 1000,
    )


def values(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        if len(data) < 3 or len(data) < 3 + (length := struct.unpack("!H", data[1:3])[0]):
            raise ProxyError("a value is cut off")
        found[data[0]] = data[3 : 3 + length]
        data = data[3 + length :]
    return found


def milliseconds(text: bytes) -> int:
    return int(text) if text.isdigit() else 0
