"""A directory of CGI programs as an ASGI application.

The program gets the worker's environment, without what could be taken for the request's, and the request's meta-variables.
`REDIRECT_STATUS` tells php-cgi that a server has started it. `HTTP_PROXY` is never set, neither by a client nor by the pool:
programs would send their own requests there. A body whose length the client does not tell is put aside first, since
`CONTENT_LENGTH` must be known.

The program is ended when its client goes, and when its time is over. What it had said by then was not the whole answer:
before the head it becomes a 502, later the connection breaks. The same when a signal ends it. An exit code that is not
0 is logged, no more: the answer is complete, and some programs have never had another.
"""

import asyncio
import logging
import os
from pathlib import Path

import anyio.to_thread
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from webgarden_worker import variables
from webgarden_worker.applications import Cgi
from webgarden_worker.cgi import bodies, head, programs, scripts
from webgarden_worker.cgi.bodies import Body
from webgarden_worker.cgi.errors import Crashed, Malformed, SlashMissing
from webgarden_worker.cgi.programs import Program
from webgarden_worker.cgi.scripts import Script
from webgarden_worker.client import Client, ClientGone
from webgarden_worker.errors import LoadError
from webgarden_worker.paths import REST

_log = logging.getLogger("webgarden_worker")
_PIECE = 64 * 1024
_NOT_INHERITED = ("HTTP_", "WEBGARDEN_CONTROL")


def cgi_programs(root: Path, cgi: Cgi) -> ASGIApp:
    """Raises `LoadError` where there is no such directory."""
    if not root.is_dir():
        raise LoadError(f"there is no directory {root}")
    return ExceptionMiddleware(Programs(root, cgi))


class Programs:
    def __init__(self, root: Path, cgi: Cgi) -> None:
        self._root = root
        self._cgi = cgi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        try:
            script = await anyio.to_thread.run_sync(scripts.find, self._root, scope[REST], self._cgi.handlers)
        except SlashMissing:
            await RedirectResponse(_with_slash(scope))(scope, receive, send)
            return
        client = Client(scope, receive, send)
        try:
            await self._answer(scope, script, client)
        except ClientGone:
            return  # Nobody is left to answer.
        finally:
            client.forget()

    async def _answer(self, scope: Scope, script: Script, client: Client) -> None:
        body = await bodies.of(scope, client)
        environment = self._environment(scope, script) | body.variables
        try:
            async with programs.running(script.command, environment, name=str(script.file)) as program:
                await self._relay(program, body, client)
        except (Malformed, Crashed, TimeoutError, OSError) as error:
            if isinstance(error, ClientGone):
                raise
            _log.error("%s: %s", script.file, error)
            if not client.begun:  # Else the server closes the connection, since there is no end.
                await PlainTextResponse("The program did not answer\n", 502)(scope, client.receive, client.send)

    async def _relay(self, program: Program, body: Body, client: Client) -> None:
        answering = asyncio.create_task(_tell(program, client))
        leaving = asyncio.create_task(client.gone.wait())
        tasks = (answering, leaving, asyncio.create_task(program.feed(body.pieces)))
        limit = self._cgi.timeout_seconds
        try:
            await asyncio.wait((answering, leaving), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
            elif leaving.done():
                raise ClientGone("the client closed the connection before the program had ended")
            else:
                raise TimeoutError(f"it had not ended after {limit:g} s")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _environment(self, scope: Scope, script: Script) -> dict[str, str]:
        root_path = scope["root_path"] + variables.decoded(script.path)
        request = variables.of({**scope, "root_path": root_path, REST: script.rest})
        request.pop("HTTP_TRANSFER_ENCODING", None)
        request["GATEWAY_INTERFACE"] = "CGI/1.1"
        if script.rest:
            request["PATH_TRANSLATED"] = os.fsencode(self._root).decode("latin-1") + request["PATH_INFO"]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)},
            **{name: os.fsdecode(value.encode("latin-1")) for name, value in request.items()},
            "SCRIPT_FILENAME": str(script.file),
            "DOCUMENT_ROOT": str(self._root),
            "REDIRECT_STATUS": "200",
        }


async def _tell(program: Program, client: Client) -> None:
    answer = await head.read(program.output)
    await client.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    while piece := await program.output.read(_PIECE):
        await client.send({"type": "http.response.body", "body": piece, "more_body": True})
    if (code := await program.ended()) < 0:
        raise Crashed(f"signal {-code} ended it in the middle of its answer")
    await client.send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_slash(scope: Scope) -> str:
    """Where the directory is, relative to the request's own address."""
    name = scope["raw_path"].decode("latin-1").rpartition("/")[2]
    query = scope["query_string"].decode("latin-1")
    return f"./{name}/?{query}" if query else f"./{name}/"
