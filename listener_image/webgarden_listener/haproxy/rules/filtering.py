"""What no application may see.

`CONNECT` would become a tunnel, `TRACE` shows what others added to a request, and `OPTIONS *` is about the server as a
whole, which is this one. None of them starts a worker.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules.frame import Frame

ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def frontend(frame: Frame) -> Iterator[str]:
    # The other two have no path, and so no pool.
    yield "http-request unset-var(txn.pool) if METH_TRACE"


def refusal(frame: Frame) -> Iterator[str]:
    yield f'http-request return status 204 hdr Allow "{ALLOWED}" if METH_OPTIONS {{ url -m str * }}'
    refused = "{ method CONNECT TRACE }"
    yield f"http-request set-var(txn.reason) str(Verb) if {refused}"
    answer = f'status 405 content-type text/plain string "Method Not Allowed" hdr Allow "{ALLOWED}"'
    yield f"http-request return {answer} if {refused}"
