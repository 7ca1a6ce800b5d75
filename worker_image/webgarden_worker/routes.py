"""Which application answers a request: the site first, then the longest path, by the rule of `paths`.

The part of the request's path that belongs to the application is returned as the client wrote it, because WSGI and
ASGI cut it off the front of that path; with the configured spelling `/API/x` would not lose its `/api`. Only repeated
slashes are not: an application that puts `//api` before a link sends its visitors to a host of that name.

A request that names no site comes past the listener, through a port-forward for instance. It gets the only site, or
where there are several the longest path over all, the first configured site winning a tie.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from webgarden_worker.paths import beginnings

T = TypeVar("T")


@dataclass(frozen=True)
class Match(Generic[T]):
    application: T
    root_path: str  # "" for an application at /
    rest: str  # of the path, still percent-encoded


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
        """`path`: normalised."""
        paths = self._all if site is None else self._sites.get(site, {})
        found = None
        for beginning, rest in beginnings(path, depth=self._depth):
            if (application := paths.get(beginning.lower())) is not None:
                found = Match(application, beginning, rest)
        return found
