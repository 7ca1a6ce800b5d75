"""One request to a listener, and its answer; or many, each in a thread of its own."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

PATIENCE = 60.0


@dataclass(frozen=True)
class Place:
    """Where a listener, or the Service of all of them, takes requests."""

    address: str
    port: int = 80


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    seconds: float

    @property
    def reason(self) -> str:
        """Why the listener itself answered."""
        return self.headers.get("x-webgarden-reason", "")

    def __str__(self) -> str:
        return f"{self.status} {self.reason} {self.body[:60]!r} after {self.seconds:.3f} s"


def ask(
    place: Place,
    host: str,
    path: str = "/",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Answer:
    """Raises what `http.client` raises when there is no answer."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(place.address, place.port, timeout=patience)
    try:
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, content, time.monotonic() - began)
    finally:
        connection.close()


def at_once(count: int, place: Place, host: str, path: str, *, patience: float = PATIENCE) -> list[Future[Answer]]:
    """That many requests at the same time; each future has an answer or an error in the end."""
    threads = ThreadPoolExecutor(count)
    futures = [threads.submit(ask, place, host, path, patience=patience) for _ in range(count)]
    threads.shutdown(wait=False)
    return futures


def outcomes(futures: list[Future[Answer]], *, patience: float = PATIENCE) -> dict[str, int]:
    """How many ended how: `200`, `503 QueueFull`, or the name of an error."""
    counts: dict[str, int] = {}
    for future in futures:
        error = future.exception(patience)
        if error is not None:
            name = type(error).__name__
        else:
            answer = future.result()
            name = f"{answer.status} {answer.reason}".strip()
        counts[name] = counts.get(name, 0) + 1
    return counts
