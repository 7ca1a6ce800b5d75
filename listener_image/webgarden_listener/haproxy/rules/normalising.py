"""One spelling of a path, for the worker too: a request is routed as what the worker will see.

Needlessly encoded letters are decoded, then dot segments are resolved (in this order: `%2e%2e`). An encoded separator
stays encoded, and separates nothing. The query is nobody's business: a signature may be made of it as it came.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules.frame import Frame


def frontend(frame: Frame) -> Iterator[str]:
    # Decoding knows no query, so what is in it is put back.
    yield "http-request set-var(txn.query) query if { path -m sub % } { query -m sub % }"
    yield "http-request normalize-uri percent-decode-unreserved if { path -m sub % }"
    yield "http-request set-query %[var(txn.query)] if { var(txn.query) -m found }"
    yield "http-request normalize-uri path-strip-dot if { path -m sub /. }"
    yield "http-request normalize-uri path-strip-dotdot full if { path -m sub /. }"
