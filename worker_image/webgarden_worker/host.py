"""The ASGI application that the server runs: finds the application for each request and hands the request over.

What an application sees is what it would see alone: its own `root_path` and its own lifespan state. The `path` stays
whole, as ASGI has it: `root_path` and what follows it. What follows is in the scope a second time, percent-encoded,
as `webgarden_worker.rest`: whoever must tell `/` from `%2F` needs it. The site's name comes in the header
`X-Webgarden-Site`, which the listener sets, and stays there for the application to read.
"""

from urllib.parse import unquote

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from webgarden_worker.answers import proper
from webgarden_worker.cgi import redirects
from webgarden_worker.lifespans import Lifespans
from webgarden_worker.paths import REST, normalised
from webgarden_worker.routes import Match, Routes
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
            send = proper(send, closing=lambda: self._traffic.draining)
            await redirects.following(self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = _site(scope)
        match = self._routes.find(site, normalised(scope["raw_path"].decode("latin-1")))
        if match is None:
            await _refuse(self._nothing(site, scope), scope, receive, send)
            return
        await match.application(self._seen(scope, match), receive, send)

    def _seen(self, scope: Scope, match: Match[ASGIApp]) -> Scope:
        return {
            **scope,
            "path": match.root_path + unquote(match.rest),
            "root_path": match.root_path,
            "state": self._lifespans.state(match.application),
            REST: match.rest,
        }

    def _nothing(self, site: str | None, scope: Scope) -> Response:
        if location := scope.get(redirects.LOCATION):
            return RedirectResponse(location, 302)
        return nothing_hosted(pool=self._pool) if self._empty else no_such_application(site=site, path=scope["path"])


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
