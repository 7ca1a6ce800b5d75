"""Host and path to site and pool. Case does not count, and several slashes are one; the longest path wins."""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.rules.frame import Frame


def frontend(frame: Frame) -> Iterator[str]:
    yield "http-request set-var(txn.host) req.hdr(host),host_only,rtrim(.),lower"
    yield "http-request set-var(txn.host) str() unless { var(txn.host) -m found }"  # HTTP/1.0 need not say one
    at = "var(txn.host),concat(:,sess.port)"
    yield f"http-request set-var(txn.site) {at},map_str({frame.map(maps.HOSTS)})"
    yield f"http-request set-var(txn.site) {at},map_end({frame.map(maps.WILD)}) unless {{ var(txn.site) -m found }}"
    yield "http-request set-var(txn.path) path,lower"
    yield "http-request set-var(txn.path) var(txn.path),regsub(/+,/,g) if { var(txn.path) -m sub // }"
    pool = f"var(txn.site),concat(,txn.path,/),map_beg({frame.map(maps.PATHS)})"
    yield f"http-request set-var(txn.pool) {pool} if {{ var(txn.path) -m found }}"


def refusal(frame: Frame) -> Iterator[str]:
    yield "http-request set-var(txn.reason) str(NoSite) unless { var(txn.site) -m found }"
    yield "http-request set-var(txn.reason) str(NoApplication) if { var(txn.site) -m found } !{ var(txn.pool) -m found }"
    yield 'http-request return status 404 content-type text/plain string "Not Found" if { var(txn.reason) -m found }'
