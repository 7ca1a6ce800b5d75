"""HTTP as the worker speaks it: uvicorn's, but for HTTP/1.0.

uvicorn sends a body of unknown length in chunks, also to a client of HTTP/1.0, which takes the chunks' heads for
content. Such a client gets the bytes as they are, and the end of the connection is their end. uvicorn closes it by
itself, since it never keeps a connection of HTTP/1.0.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0" and self.cycle is not None and self.cycle.scope is self.scope:
            # The answer has not begun: its task runs after this callback.
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _UntilClose()


class _UntilClose(int):
    """The length of a body that ends with its connection: more than anything, and still nothing is left to come."""

    def __lt__(self, other: int) -> bool:
        return False

    def __sub__(self, other: int) -> "_UntilClose":
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__
