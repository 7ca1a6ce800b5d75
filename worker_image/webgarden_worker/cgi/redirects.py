"""A program's redirect within its site: the host answers as if the client had asked for the other path itself.

What follows is a GET without a body, whatever the request was. It goes to any application of the site in this worker; where
there is none the client is sent there, since another pool may have it. A program that leads back to itself ends in a 502.
"""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webgarden_worker.cgi.errors import LocalRedirect

MOST = 10
LOCATION = "webgarden_worker.location"
"""Key of a scope: where a redirect has led."""
_OF_BODY = (b"content-length", b"content-type", b"transfer-encoding")


async def following(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    for _ in range(MOST):
        try:
            await application(scope, receive, send)
        except LocalRedirect as redirect:
            scope, receive = _redirected(scope, redirect.location), _without_body(receive)
        else:
            return
    await PlainTextResponse("The program redirects in a circle\n", 502)(scope, receive, send)


def _redirected(scope: Scope, location: str) -> Scope:
    path, _, query = location.partition("?")
    return {
        **scope,
        "method": "HEAD" if scope["method"] == "HEAD" else "GET",
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(name, value) for name, value in scope["headers"] if name not in _OF_BODY],
        LOCATION: location,
    }


def _without_body(receive: Receive) -> Receive:
    """The client still can go away; what is left of its body is nobody's."""
    begun = False

    async def receive_nothing() -> Message:
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return receive_nothing
