"""Answers that a server must take care with, each at a path of its own."""

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

first_sent = threading.Event()
closed = threading.Semaphore(0)
FILE = Path(__file__).with_name("ledger.py")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    page = PAGES[environ["PATH_INFO"]]
    body: Iterable[bytes] = page(environ, start_response)
    return body


def bodiless(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    """Says 204 or 304, and still has a length and a body."""
    start_response(environ["QUERY_STRING"].replace("%20", " "), [("Content-Length", "5"), ("X-Kept", "yes")])
    return [b"weeds"]


def stream(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "keep-alive"), ("Keep-Alive", "max=9")])
    return (b"leaf\n" for _ in range(3))


def trickle(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:  # noqa: ANN401
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first\n"
    first_sent.wait()
    yield b"second\n"


def go_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    first_sent.set()
    start_response("200 OK", [])
    return []


class Closing:
    """An iterable whose `close` the client need not wait for."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"whole"])

    def close(self) -> None:
        closed.acquire()


def closing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    start_response("200 OK", [])
    return Closing()


def dawdles(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:  # noqa: ANN401
    start_response("200 OK", [("Content-Length", "5")])
    yield b"whole"
    closed.acquire()


def babbles(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Says all that it announced, and then does not stop."""
    start_response("200 OK", [("Content-Length", "65536")])
    while True:
        yield b"x" * 65536


def let_close(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    closed.release()
    start_response("200 OK", [])
    return []


def file(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    """This file from its 10th byte, all of it or as many bytes as the query says."""
    opened = FILE.open("rb")
    opened.seek(10)
    length = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Length", length)] if length else [])
    body: Iterable[bytes] = environ["wsgi.file_wrapper"](opened, 7)
    return body


def breaks_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:  # noqa: ANN401
    start_response("200 OK", [])
    yield b"half"
    raise RuntimeError("the ink is dry")


def loses_its_database(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    raise ConnectionResetError("the database went away")


def changes_its_mind(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ValueError("on second thoughts")
    except ValueError as error:
        start_response("409 Conflict", [("X-Second", "2")], (type(error), error, error.__traceback__))
    return [b"no"]


def writes(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    write = start_response("200 OK", [])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def server(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: environ[name] for name in ("SERVER_NAME", "SERVER_PORT")}).encode()]


_PAGES = (bodiless, stream, trickle, go_on, closing, dawdles, babbles, let_close, file, breaks_late, loses_its_database)
PAGES: dict[str, Any] = {f"/{page.__name__}": page for page in (*_PAGES, changes_its_mind, writes, server)}
