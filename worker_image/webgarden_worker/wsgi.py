"""A WSGI application as an ASGI one.

The protocol's rules (when the head is sent, `exc_info`, `write`, `close`) are the standard library's `BaseHandler`; the
way from the thread to the client is `outbox`. What this adds:
- `wsgi.input` is a real buffered reader, and `wsgi.input_terminated` says that it ends where the body does, without
  which Werkzeug takes a chunked body for an empty one.
- `wsgi.file_wrapper` is read in large blocks, whatever block size the program asks for.
- `wsgi.multiprocess` is always true: while a worker is recycled there are two, also where the web garden has one.
- An exception that comes before the head is a 500. One that comes later breaks the connection, or half an answer would
  look like a whole one.
"""

import asyncio
import functools
import io
import sys
from collections.abc import Callable, Sized
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any
from wsgiref.handlers import BaseHandler
from wsgiref.headers import Headers
from wsgiref.util import is_hop_by_hop

from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from webgarden_worker import variables
from webgarden_worker.client import Client, ClientGone
from webgarden_worker.outbox import Outbox
from webgarden_worker.threads import Threads

if TYPE_CHECKING:
    from wsgiref.types import ErrorStream, InputStream
    from wsgiref.types import WSGIApplication as Program

    from _typeshed import OptExcInfo

_BLOCK = 256 * 1024
_WAIT_SECONDS = 1.0


class WSGIApplication:
    """Serves HTTP; a WebSocket is refused. No lifespan: WSGI knows none."""

    def __init__(self, program: "Program", *, threads: Threads) -> None:
        self._program = program
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        client = Client(scope, receive, send)
        try:
            await self._answer(scope, client)
        except ClientGone:
            return  # Nobody is left to answer, and the program has seen the exception.
        finally:
            client.forget()

    async def _answer(self, scope: Scope, client: Client) -> None:
        outbox = Outbox(waiting=self._threads.step)
        body = _Body(client, waiting=self._threads.step)
        handler = _Handler(variables.of(scope), body=body, outbox=outbox, threads=self._threads)
        delivery = asyncio.create_task(_deliver(outbox, client))
        try:
            await self._threads.run(functools.partial(handler.run, self._program))
            await delivery
        finally:
            outbox.refuse(ClientGone("the request has ended"))
            if not delivery.cancel():
                delivery.exception()  # The thread has raised it; the loop would complain of one that nobody looked at.


async def _deliver(outbox: Outbox, client: Client) -> None:
    try:
        await outbox.deliver(client.send)
    except Exception as error:  # Whatever it is, it is the thread's to see.
        outbox.refuse(error)
        raise


class _Body(io.RawIOBase):
    """The request's body, read from a thread."""

    def __init__(self, client: Client, *, waiting: Callable[[], None]) -> None:
        self._client = client
        self._waiting = waiting
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (the buffer protocol has no name before Python 3.12)
        while self._more and not self._rest:
            message = self._receive()
            self._rest = memoryview(message.get("body", b""))
            self._more = message.get("more_body", False)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def _receive(self) -> Message:
        coming = asyncio.run_coroutine_threadsafe(self._client.receive(), self._loop)
        while not wait([coming], _WAIT_SECONDS).done:
            self._waiting()
        return coming.result()


class _Handler(BaseHandler):
    """One request in its thread."""

    environ: dict[str, Any]
    headers: Headers
    status: str
    bytes_sent: int
    result: Any

    def __init__(self, request: dict[str, str], *, body: _Body, outbox: Outbox, threads: Threads) -> None:
        self.os_environ = {}  # The process's variables are none of the request's.
        self._request = request
        self._body = body
        self._outbox = outbox
        self._threads = threads
        self._length = -1
        """Of the body, once it is known."""

    def run(self, application: "Program") -> None:
        # Not as it is inherited: that takes a lost connection of the program (to its database) for the client's.
        self.setup_environ()
        self.result = application(self.environ, self.start_response)
        self.finish_response()

    def add_cgi_vars(self) -> None:
        self.environ |= self._request
        self.environ["wsgi.input_terminated"] = True

    def get_stdin(self) -> "InputStream":
        return io.BufferedReader(self._body)

    def get_stderr(self) -> "ErrorStream":
        return sys.stderr

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None
    ) -> Callable[[bytes], None]:
        """Connections are the server's affair: what a program says about them is dropped, as gunicorn does."""
        return super().start_response(status, [h for h in headers if not is_hop_by_hop(h[0])], exc_info)

    def set_content_length(self) -> None:
        whole = isinstance(self.result, Sized) and len(self.result) <= 1
        if whole and self._request["REQUEST_METHOD"] != "HEAD":
            self.headers["Content-Length"] = str(self.bytes_sent)

    def send_headers(self) -> None:
        self.cleanup_headers()
        self.headers_sent = True
        self._length = int(self.headers.get("Content-Length", "") or -1)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        self._outbox.start(int(self.status[:3]), headers)

    def sendfile(self) -> bool:
        """Read the file to its end, or as far as the answer's length says; for HEAD, not at all."""
        length = self.headers.get("Content-Length", "") or sys.maxsize
        left = 0 if self._request["REQUEST_METHOD"] == "HEAD" else int(length)
        while data := self.result.filelike.read(min(_BLOCK, left)):
            self.write(data)
            left -= len(data)
        self.finish_content()
        return True

    def finish_content(self) -> None:
        """The end is told before `close`, in which a program may do what its client need not wait for."""
        if not self.headers_sent:
            self.write(b"")
        self._outbox.end()

    def _write(self, data: bytes) -> None:
        """With the last byte the end is told, too: that spares the loop a turn."""
        self._outbox.write(data, last=self.bytes_sent == self._length)
        self._threads.step()

    def _flush(self) -> None:
        """Nothing is kept back."""
