"""The head of a program's answer: headers, an empty line, and three of them that are for the server (RFC 3875, 6).

Lines may end as they do anywhere, and what belongs to a connection is dropped. A head that is no head, or has no end
within `LARGEST` bytes, is `Malformed`: most often it is a program's error message.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.util import is_hop_by_hop

from webgarden_worker.cgi.errors import LocalRedirect, Malformed

LARGEST = 64 * 1024
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_STATUS = re.compile(rb"([2-5][0-9]{2})( .*)?")


@dataclass(frozen=True)
class Head:
    status: int
    headers: list[tuple[bytes, bytes]]


async def read(stream: asyncio.StreamReader) -> Head:
    """Raises `Malformed` or `LocalRedirect`."""
    lines: list[bytes] = []
    left = LARGEST
    while line := await _line(stream):
        left -= len(line)
        if left < 0:
            raise Malformed("its head has no end")
        lines.append(line)
    return parse(lines)


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return (await stream.readuntil(b"\n")).rstrip(b"\r\n")
    except asyncio.IncompleteReadError:
        raise Malformed("it ended before its head did") from None
    except asyncio.LimitOverrunError:
        raise Malformed("its head has no end") from None


def parse(lines: Iterable[bytes]) -> Head:
    """Raises `Malformed` or `LocalRedirect`."""
    headers = [_header(line) for line in lines]
    if not headers:
        raise Malformed("it has no head")
    named = dict(headers)
    location = named.get(b"location", b"")
    if len(headers) == 1 and location.startswith(b"/") and not location.startswith(b"//"):
        raise LocalRedirect(location.decode("latin-1"))
    status = _status(named.get(b"status", b"302 Found" if location else b"200 OK"))
    kept = [(name, value) for name, value in headers if name != b"status" and not is_hop_by_hop(name.decode("latin-1"))]
    return Head(status, kept)


def _header(line: bytes) -> tuple[bytes, bytes]:
    found = _HEADER.fullmatch(line)
    if found is None:
        raise Malformed(f"{line[:200]!r} is no header")
    return found[1].lower(), found[2]


def _status(text: bytes) -> int:
    found = _STATUS.fullmatch(text)
    if found is None:
        raise Malformed(f"{text[:200]!r} is no status")
    return int(found[1])
