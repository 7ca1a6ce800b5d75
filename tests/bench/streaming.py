"""Answers of a WSGI program from the worker, beside gunicorn with as many threads: bytes and requests a second.

Both run here, on loopback, without the cluster: what is measured is the way from the program to the socket. They take turns
in each round. The client reads bytes and looks at none of them, so that it is not what is measured.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.bench import wrk
from tests.bench.figures import Figure, Report, Row, at_least
from tests.e2e.asking import Place

TITLE = "Streaming"
ROOT = Path(__file__).parents[2]
THREADS = 40
SECONDS = 3
CONNECTIONS = 16
MEGABYTES = 128
ADDRESS = "127.0.0.1"
PROGRAM = f"""
import tempfile

FILE = tempfile.NamedTemporaryFile()
FILE.truncate({MEGABYTES} * 10**6)


def app(environ, start_response):
    what = environ["PATH_INFO"][1:]
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if what == "file":
        return environ["wsgi.file_wrapper"](open(FILE.name, "rb"))
    if not what:
        return [b"x" * 128]
    piece = b"x" * int(what)
    return (piece for _ in range({MEGABYTES} * 10**6 // len(piece)))
"""
STREAMS = {"1024": "pieces of 1 KiB", "8192": "pieces of 8 KiB", "65536": "pieces of 64 KiB", "file": "a file"}
REQUESTS = "WSGI: requests a second, 16 connections"

Turns = dict[str, dict[str, list[float]]]
"""What is asked for -> server -> a figure each round."""


def run(rounds: int) -> Report:
    wrk.install()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        (Path(folder) / "streamed.py").write_text(PROGRAM)
        ports = {
            "worker": servers.enter_context(_worker(folder)),
            "gunicorn": servers.enter_context(_gunicorn(folder)),
        }
        return _report(_turns(ports, rounds))


def _turns(ports: Mapping[str, int], rounds: int) -> Turns:
    turns: Turns = {what: {server: [] for server in ports} for what in (*STREAMS, "")}
    for _ in range(rounds):
        for what, found in turns.items():
            for server, port in ports.items():
                found[server].append(_megabytes_a_second(port, what) if what else _requests_a_second(port))
    return turns


def _megabytes_a_second(port: int, what: str) -> float:
    begun = time.perf_counter()
    with socket.create_connection((ADDRESS, port)) as connection:
        connection.sendall(f"GET /{what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        buffer, size = bytearray(2**20), 0
        while count := connection.recv_into(buffer):
            size += count
    assert size >= MEGABYTES * 10**6 * 0.99, f"only {size} bytes came"
    return size / 1e6 / (time.perf_counter() - begun)


def _requests_a_second(port: int) -> float:
    done = wrk.load(Place(ADDRESS, port), "x", seconds=SECONDS, connections=CONNECTIONS)
    assert not done.failed
    return done.rate


def _worker(folder: str) -> AbstractContextManager[int]:
    application = {"site": "bench/bench", "path": "/", "kind": "WSGI", "target": "streamed:app", "root": folder}
    port, control = _free_port(), _free_port()
    settings = {
        "PYTHONPATH": str(ROOT / "worker_image"),
        "WEBGARDEN_PORT": str(port),
        "WEBGARDEN_CONTROL_PORT": str(control),
        "WEBGARDEN_THREADS": str(THREADS),
        "WEBGARDEN_APPLICATIONS": json.dumps([application]),
    }
    return _serving([sys.executable, "-m", "webgarden_worker"], port, settings)


def _gunicorn(folder: str) -> AbstractContextManager[int]:
    port = _free_port()
    options = [f"--threads={THREADS}", "--worker-class=gthread", f"--bind={ADDRESS}:{port}", f"--chdir={folder}"]
    return _serving([sys.executable, "-m", "gunicorn", *options, "streamed:app"], port, {})


@contextmanager
def _serving(command: Sequence[str], port: int, settings: Mapping[str, str]) -> Iterator[int]:
    with subprocess.Popen(
        command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while not _accepts(port):
                assert process.poll() is None and time.monotonic() < deadline, f"{command[2]} does not serve"
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind((ADDRESS, 0))
        return int(bound.getsockname()[1])


def _report(turns: Turns) -> Report:
    rows: list[Row] = []
    for what, found in turns.items():
        name = f"WSGI: {STREAMS[what]}, MB a second" if what else REQUESTS
        ours, peer = Figure.of(found["worker"]), Figure.of(found["gunicorn"])
        ratio = Figure.of(one / two for one, two in zip(found["worker"], found["gunicorn"], strict=True))
        rows += [Row(name, ours, "gunicorn", peer), Row("of gunicorn's", ratio, goal=at_least(1))]
    how = (
        f"One WSGI program on loopback, the worker and gunicorn (gthread) with {THREADS} threads each; answers of "
        f"{MEGABYTES} MB in pieces and by `wsgi.file_wrapper`, one client that counts bytes; {SECONDS} s of wrk for the "
        "requests. All share the machine's cores."
    )
    return Report(TITLE, how, tuple(rows), summary=(rows[4].what, REQUESTS))
