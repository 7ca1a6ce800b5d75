"""A request's body as a program reads it: pieces, and a length that is known before the first one.

A body in chunks is put aside until it is whole; what of it is more than `IN_MEMORY` is in a temporary file, so the
container needs a /tmp that can be written for large ones. Every other body goes on as it comes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile

import anyio.to_thread
from starlette.types import Scope

from webgarden_worker.client import Client

IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Body:
    pieces: AsyncIterator[bytes]
    variables: dict[str, str] = field(default_factory=dict)
    """What the program is told besides what the request's head says."""


async def of(scope: Scope, client: Client) -> Body:
    if b"transfer-encoding" not in dict(scope["headers"]):
        return Body(_coming(client))
    whole = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed when it has been read, or nobody knows it any more)
    async for piece in _coming(client):
        await anyio.to_thread.run_sync(whole.write, piece)
    length = whole.tell()
    whole.seek(0)
    return Body(_put_aside(whole), {"CONTENT_LENGTH": str(length)})


async def _coming(client: Client) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await client.receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _put_aside(whole: "SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
    with whole:
        while piece := await anyio.to_thread.run_sync(whole.read, _PIECE):
            yield piece
