"""The answers of the listener itself: each has its reason in a header, and in the log.

A worker's answer passes as it is. What is no request at all is answered before any rule runs, from the files in `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.names import BELL, NODE
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.haproxy.rules.limiting import CROWDED

TERMINATIONS = {
    "sQ": "QueueTimeout",
    "SC": "WorkerUnreachable",
    "sC": "WorkerUnreachable",
    "SH": "WorkerLost",
    "SD": "WorkerLost",
    "SL": "WorkerLost",
    "KH": "WorkerLost",
    "KC": "WorkerLost",
    "KD": "WorkerLost",
    "sH": "WorkerTimeout",
    "sD": "WorkerTimeout",
    "PH": "WorkerAnswer",
    "PR": "BadRequest",
    "cR": "RequestTimeout",
    "CQ": "ClientGone",
    "CC": "ClientGone",
    "CH": "ClientGone",
    "CR": "ClientGone",
    "RC": "Exhausted",
}
"""How HAProxy ended a request (the first two letters of its termination state) in our words."""

NO_REQUEST = {
    400: ("Bad Request", "BadRequest"),
    408: ("Request Timeout", "RequestTimeout"),
    414: ("URI Too Long", "UrlLength"),
    431: ("Request Header Fields Too Large", "RequestLength"),
    500: ("Internal Server Error", "Internal"),
    501: ("Not Implemented", "NotImplemented"),
}
"""What HAProxy's parser says to something that is no request, and the reason."""

WORDS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def files() -> Mapping[str, str]:
    """The answers to what is no request, by the names of their files."""
    return {f"{status}.http": whole(status, *words) for status, words in NO_REQUEST.items()}


def whole(status: int, words: str, reason: str) -> str:
    return (
        f"HTTP/1.1 {status} {words}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(words)}\r\nConnection: close\r\n"
        f"X-Webgarden-Reason: {reason}\r\n\r\n{words}"
    )


AFTER = "http-after-response"
UPGRADED = "{ status 101 }"


def every(frame: Frame) -> Iterator[str]:
    """Who is asked to come again must be able to: to another listener, or when there is room."""
    yield "http-response set-var(txn.answered) int(1)"
    yield f"http-response set-var(txn.reason) res.hdr(X-Webgarden-Reason) if {{ status 503 }} {{ srv_name -m str {BELL} }}"
    yield f"{AFTER} set-header Connection close if {CROWDED} !{UPGRADED} or {{ nbsrv({NODE}) eq 0 }} !{UPGRADED}"


def workers_pass(_frame: Frame) -> Iterator[str]:
    yield f"{AFTER} allow if {{ var(txn.answered) -m found }}"


def own(frame: Frame) -> Iterator[str]:
    for status in NO_REQUEST:
        yield f"errorfile {status} {frame.errors / f'{status}.http'}"
    unknown = "!{ var(txn.reason) -m found }"
    state = f"var(txn.pool),map_str({frame.map(maps.STATES)},PoolMissing)"
    yield f"{AFTER} set-var(txn.state) {state} if {unknown} {{ var(txn.pool) -m found }}"
    stopped = f"{{ var(txn.state) -m found }} !{{ var(txn.state) -m str {maps.STARTED} }}"
    yield f"{AFTER} set-var(txn.reason) var(txn.state) if {unknown} {stopped}"
    ended = f"txn.sess_term_state,map_str({frame.map(maps.TERMINATIONS)},Internal)"
    yield f"{AFTER} set-var(txn.reason) {ended} if {unknown} !{{ status lt 400 }}"
    yield f"{AFTER} set-header X-Webgarden-Reason %[var(txn.reason)] if {{ var(txn.reason) -m found }}"
    yield f"{AFTER} set-var(txn.retry) int(1) if {{ status 503 }}"
    retry = f"var(txn.pool),map_str_int({frame.map(maps.RETRY)},1)"
    yield f"{AFTER} set-var(txn.retry) {retry} if {{ status 503 }} {{ var(txn.pool) -m found }}"
    yield f"{AFTER} set-header Retry-After %[var(txn.retry)] if {{ var(txn.retry) -m int gt 0 }}"


def pool(frame: Frame) -> Iterator[str]:
    for status, words in WORDS.items():
        yield f'http-error status {status} content-type text/plain string "{words}"'
