"""The ASGI application that the server runs: finds the application for each request and hands the request over.

What an application sees is what it would see alone: its own `root_path` and its own lifespan state. The `path` stays
whole, as ASGI has it; WSGI's SCRIPT_NAME and PATH_INFO are made from the two. The site's name comes in the header
`X-Webgarden-Site`, which the listener sets, and stays there for the application to read.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from webgarden_worker.lifespans import Lifespans
from webgarden_worker.routes import Routes
from webgarden_worker.traffic import Traffic
from webgarden_worker.welcome import no_such_application, nothing_hosted

SITE_HEADER = b"x-webgarden-site"


class Host:
    def __init__(
        self, *, routes: Routes[ASGIApp], lifespans: Lifespans, traffic: Traffic, empty: bool, pool: str
    ) -> None:
        self._routes = routes
        self._lifespans = lifespans
        self._traffic = traffic
        self._empty = empty
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._traffic.request():
            await self._answer(scope, receive, self._closing(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = _site(scope)
        match = self._routes.find(site, scope["path"])
        if match is None:
            await _refuse(self._nothing(site, scope["path"]), scope, receive, send)
            return
        state = self._lifespans.state(match.application)
        await match.application({**scope, "root_path": match.root_path, "state": state}, receive, send)

    def _nothing(self, site: str | None, path: str) -> Response:
        return nothing_hosted(pool=self._pool) if self._empty else no_such_application(site=site, path=path)

    def _closing(self, send: Send) -> Send:
        async def send_and_close(message: Message) -> None:
            # Asked when the answer starts, not when the request came: a drain that began meanwhile counts.
            if message["type"] == "http.response.start" and self._traffic.draining:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        return send_and_close


def _site(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == SITE_HEADER:
            return bytes(value).decode("latin-1")
    return None


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
