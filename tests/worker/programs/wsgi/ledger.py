"""A real WSGI program for the tests, without a framework, so that every byte is the worker's doing."""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

SEEN = (
    *("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "REMOTE_ADDR", "RAW_URI", "REQUEST_URI"),
    *("HTTP_X_WEBGARDEN_SITE", "HTTP_COOKIE", "HTTP_PROXY", "SERVER_SOFTWARE", "wsgi.url_scheme", "wsgi.multiprocess"),
)
release = threading.Event()
ended = threading.Event()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    page = PAGES.get(environ["PATH_INFO"])
    if page is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page"]
    body = page(environ)
    headers = [("Content-Type", "application/json")]
    start_response("200 OK", [*headers, ("Content-Length", "10")] if page is too_long else headers)
    return body


def seen(environ: dict[str, Any]) -> Iterable[bytes]:
    return [json.dumps({name: environ.get(name) for name in SEEN}).encode()]


def hold(environ: dict[str, Any]) -> Iterable[bytes]:
    release.wait()
    return [b'"held"']


def let_go(environ: dict[str, Any]) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    release.set()
    return [b'"released"']


def echo(environ: dict[str, Any]) -> Iterable[bytes]:
    digest, length = hashlib.sha256(), 0
    try:
        chunks = list(iter(lambda: environ["wsgi.input"].read(65536), b""))
    except ConnectionError:
        print("ledger: upload cut", flush=True)
        raise
    for chunk in chunks:
        digest.update(chunk)
        length += len(chunk)
    return [json.dumps({"sha256": digest.hexdigest(), "length": length}).encode()]


def lines(environ: dict[str, Any]) -> Iterable[bytes]:
    read: list[str] = []
    while line := environ["wsgi.input"].readline(1 << 16):
        read.append(line.decode())
    return [json.dumps(read).encode()]


def download(environ: dict[str, Any]) -> Iterable[bytes]:
    return (b"x" * 2**20 for _ in range(32))


def endless(environ: dict[str, Any]) -> Iterator[bytes]:
    try:
        while True:
            yield b"x" * 2**16
    finally:
        ended.set()


def has_ended(environ: dict[str, Any]) -> Iterable[bytes]:
    return [json.dumps(ended.is_set()).encode()]


def too_long(environ: dict[str, Any]) -> Iterable[bytes]:
    return (b"x" * 2**10 for _ in range(100))


PAGES = {
    "": seen,
    "/": seen,
    "/seen": seen,
    "/hold": hold,
    "/release": let_go,
    "/echo": echo,
    "/lines": lines,
    "/download": download,
    "/endless": endless,
    "/has-ended": has_ended,
    "/too-long": too_long,
}
