"""Which application answers a request: the site first, then the longest path.

Paths are compared by whole segments (`/api` is not the parent of `/apiary`) and without regard to case, as IIS does.
The part of the request's path that belongs to the application is returned as the client wrote it, because WSGI and
ASGI cut it off the front of that path; with the configured spelling `/API/x` would not lose its `/api`.

A request that names no site comes past the listener, through a port-forward for instance. It gets the only site, or
where there are several the longest path over all, the first configured site winning a tie.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Match(Generic[T]):
    application: T
    root_path: str  # "" for an application at /


class Routes(Generic[T]):
    """Built once from (site, path, application), then only read."""

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self._sites: dict[str, dict[str, T]] = {}
        self._all: dict[str, T] = {}
        self._depth = 0
        for site, path, application in entries:
            prefix = path.rstrip("/").lower()
            self._sites.setdefault(site, {})[prefix] = application
            self._all.setdefault(prefix, application)
            self._depth = max(self._depth, prefix.count("/"))

    def find(self, site: str | None, path: str) -> Match[T] | None:
        paths = self._all if site is None else self._sites.get(site, {})
        for prefix in _prefixes(path, depth=self._depth):
            if (application := paths.get(prefix.lower())) is not None:
                return Match(application, prefix)
        return None


def _prefixes(path: str, *, depth: int) -> Iterator[str]:
    """The first `depth` segments of the path, then one less, down to none."""
    segments = path.split("/", depth + 1)[1 : depth + 1]
    for count in range(len(segments), -1, -1):
        yield "".join(f"/{segment}" for segment in segments[:count])
