"""The maps: everything that HAProxy looks up for a request, declared once.

All that is written here went through `table` before. The slash at the end of a path's key keeps `/apiary` out of
`/api`; the request's path gets one too. The port is in the host's key because two sites may have one host on two ports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from webgarden_link import Application, Pool, Site
from webgarden_listener.haproxy.commands import Command, add_entries, del_entry, set_entry
from webgarden_listener.haproxy.names import backend
from webgarden_listener.table import Routing, stopped

STARTED = "Started"
PATH_SAFE = "/:@!$&()*+,=~-._"


@dataclass(frozen=True)
class Map:
    name: str
    key: str
    value: str
    when: str
    """When an entry is changed."""


HOSTS = Map("hosts", "host:port", "site", "with the site")
WILD = Map("wild", ".suffix:port, or :port for any host", "site", "with the site, as a whole: its order counts")
PATHS = Map("paths", "site/path/ in lower case", "backend", "with the site, or when its pool changes its backend")
STATES = Map("states", "backend", "Started, or why it is stopped", "with the pool")
LIMITS = Map("limits", "backend that is started", "most requests that wait", "with the pool")
WAITS = Map("waits", "backend", "milliseconds that a request may wait", "with the pool")
RETRY = Map("retry", "backend that is stopped", "seconds until one may come again", "with the pool")
ACTIVE = Map("active", "backend", "1", "by HAProxy itself: the pools that were asked for since we looked")
TERMINATIONS = Map("terminations", "how HAProxy ended a request", "the reason in our words", "never")

MAPS = (HOSTS, WILD, PATHS, STATES, LIMITS, WAITS, RETRY, ACTIVE, TERMINATIONS)

Key = tuple[str, str]
"""The name of a map, and a key in it."""
Entries = Mapping[Key, str]


def path(folder: Path, name: str) -> Path:
    """The file that a map is read from, which is its name for HAProxy, too."""
    return folder / f"{name}.map"


def site_entries(known: Routing, site: Site) -> dict[Key, str]:
    """What one site has in the maps."""
    made: dict[Key, str] = {}
    for application in site.applications:
        made[PATHS.name, path_key(site, application)] = backend(application.pool, affine=known.affine(application.pool))
    for binding in site.bindings:
        if binding.host and not binding.host.startswith("*"):
            made[HOSTS.name, f"{binding.host}:{binding.port}"] = site.key
        else:
            made[WILD.name, f"{binding.host[1:]}:{binding.port}"] = site.key
    return made


def path_key(site: Site, application: Application) -> str:
    """As the request's path looks after HAProxy has normalised it: percent-encoded where it must be, lower case."""
    return f"{site.key}{quote(application.path.rstrip('/'), safe=PATH_SAFE).lower()}/"


def pool_entries(name: str, pool: Pool, *, queue_limit: int) -> dict[Key, str | None]:
    """Every entry that one pool may have, under the name of its backend; None for those that it has not.

    In the order in which they are changed: the limit lets requests in, so it comes last and goes last. An answer that
    names the state says when to come back, too.
    """
    return {
        (WAITS.name, name): str(pool.queue_timeout * 1000),
        (RETRY.name, name): str(pool.retry_after) if stopped(pool) else None,
        (STATES.name, name): pool.reason if stopped(pool) else STARTED,
        (LIMITS.name, name): None if stopped(pool) else str(queue_limit),
    }


def no_entries(name: str) -> dict[Key, str | None]:
    """Those of a pool that has gone."""
    return {(one.name, name): None for one in (LIMITS, STATES, RETRY, WAITS)}


def lines(entries: Entries) -> dict[str, list[tuple[str, str]]]:
    """Entries by map, in the order in which HAProxy must have them: of the wild ones it takes the first that fits."""
    grouped: dict[str, list[tuple[str, str]]] = {one.name: [] for one in MAPS}
    for (name, key), value in entries.items():
        grouped[name].append((key, value))
    grouped[WILD.name].sort(key=lambda entry: (-len(entry[0]), entry))
    return grouped


class Claims:
    """Who wants which entry. A host may have two sites for a moment, while the operator moves it: the newer one has it."""

    def __init__(self) -> None:
        self._by_key: defaultdict[Key, dict[str, tuple[int, str]]] = defaultdict(dict)
        self._by_site: dict[str, set[Key]] = {}

    def put(self, site: str, version: int, entries: Entries) -> dict[Key, str | None]:
        """Everything that a site wants, and what its keys are from now on; None is for one that nobody wants."""
        keys = self._by_site.get(site, set()) | entries.keys()
        for key in keys:
            if key in entries:
                self._by_key[key][site] = (version, entries[key])
            else:
                self._by_key[key].pop(site, None)
        self._by_site[site] = set(entries)
        if not entries:
            del self._by_site[site]
        # Paths first when they come, hosts first when they go: a site that is found has its applications.
        return {key: self._winner(key) for key in sorted(keys, key=lambda key: (key[0] == PATHS.name) != bool(entries))}

    def _winner(self, key: Key) -> str | None:
        claims = self._by_key[key]
        if not claims:
            del self._by_key[key]
            return None
        return max(claims.values())[1]


class Loaded:
    """What HAProxy has in its maps, as far as we know: what it was read to have, and what it was told since."""

    def __init__(self, folder: Path, entries: Mapping[str, Mapping[str, str]]) -> None:
        self._folder = folder
        self._entries = {one.name: dict(entries.get(one.name, {})) for one in MAPS}

    def get(self, key: Key) -> str | None:
        return self._entries[key[0]].get(key[1])

    def keys(self, name: str) -> Iterable[str]:
        return self._entries[name].keys()

    def differing(self, wanted: Mapping[Key, str | None]) -> dict[Key, str | None]:
        return {key: value for key, value in wanted.items() if self.get(key) != value}

    def note(self, changed: Mapping[Key, str | None]) -> None:
        """HAProxy has them now."""
        for (name, key), value in changed.items():
            if value is None:
                self._entries[name].pop(key, None)
            else:
                self._entries[name][key] = value

    def all(self, name: str) -> dict[Key, str]:
        return {(name, key): value for key, value in self._entries[name].items()}

    def commands(self, changed: Mapping[Key, str | None]) -> Iterator[Command]:
        """For entries whose order does not count; what is new goes together where it can."""
        new: dict[str, list[tuple[str, str]]] = {}
        for (name, key), value in changed.items():
            file = path(self._folder, name)
            if value is None:
                yield from flushed(self._folder, new)
                yield del_entry(file, key)
            elif key in self._entries[name]:
                yield from flushed(self._folder, new)
                yield set_entry(file, key, value)
            else:
                new.setdefault(name, []).append((key, value))
        yield from flushed(self._folder, new)


def flushed(folder: Path, new: dict[str, list[tuple[str, str]]]) -> Iterator[Command]:
    for name in list(new):
        yield from add_entries(path(folder, name), new.pop(name))
