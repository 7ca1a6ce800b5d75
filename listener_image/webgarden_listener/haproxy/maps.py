"""The maps: everything about sites and pools that may change without a reload. Pure.

| map      | key                              | value                                                              |
|----------|----------------------------------|--------------------------------------------------------------------|
| `hosts`  | `host:port`                      | site                                                               |
| `wild`   | `.suffix:port`, `:port` for any  | site; HAProxy takes the first that fits, so the longest comes first |
| `paths`  | `site/path/`, lower case         | backend; HAProxy takes the longest that fits                       |
| `states` | backend                          | `Started`, or the reason why it is stopped                         |
| `retry`  | backend that is stopped          | seconds                                                            |
| `queues` | backend that is started          | most requests that wait                                            |
| `node`   | `ready`                          | `yes` or `no`: whether this listener wants new clients             |
|          | `last`                           | `yes` or `no`: whether no process follows this one                 |

All that is written here went through `table` before; `text` refuses what could leave its line nevertheless, since
HAProxy would run the next line as a command.

The slash at the end of a path key keeps `/apiary` out of `/api`; the request's path gets one too. The port is in
the host key because two sites may have one host on two ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from webgarden_link import Application, Binding, Site
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.names import backend
from webgarden_listener.table import Routing, stopped

STARTED = "Started"
PATH_SAFE = "/:@!$&'()*+,;=~-._"

Entries = tuple[tuple[str, str], ...]
Maps = Mapping[str, Entries]


def maps(known: Routing, *, ready: bool, last: bool = False) -> Maps:
    """Every map by name, in the order in which HAProxy must have its entries."""
    sites = [known.sites[key] for key in sorted(known.sites)]
    pools = [known.pools[key] for key in sorted(known.pools)]
    return {
        "hosts": tuple(exact_hosts(sites)),
        "wild": tuple(sorted(wild_hosts(sites), key=lambda entry: (-len(entry[0]), entry))),
        "paths": tuple(paths(sites)),
        "states": tuple((backend(pool.key), pool.reason if stopped(pool) else STARTED) for pool in pools),
        "retry": tuple((backend(pool.key), str(pool.retry_after)) for pool in pools if stopped(pool)),
        "queues": tuple((backend(pool.key), str(pool.queue_limit)) for pool in pools if not stopped(pool)),
        "node": node(ready=ready, last=last),
    }


def node(*, ready: bool, last: bool) -> Entries:
    return ("ready", "yes" if ready else "no"), ("last", "yes" if last else "no")


def bindings(sites: Iterable[Site]) -> Iterable[tuple[Site, Binding]]:
    return ((site, one) for site in sites for one in site.bindings)


def exact_hosts(sites: Iterable[Site]) -> Iterable[tuple[str, str]]:
    named = (item for item in bindings(sites) if item[1].host and not item[1].host.startswith("*"))
    return ((f"{binding.host}:{binding.port}", site.key) for site, binding in named)


def wild_hosts(sites: Iterable[Site]) -> Iterable[tuple[str, str]]:
    open_ended = (item for item in bindings(sites) if not item[1].host or item[1].host.startswith("*"))
    return ((f"{binding.host[1:]}:{binding.port}", site.key) for site, binding in open_ended)


def paths(sites: Iterable[Site]) -> Iterable[tuple[str, str]]:
    return ((path_key(site, one), backend(one.pool)) for site in sites for one in site.applications)


def path_key(site: Site, application: Application) -> str:
    """As the request's path looks after HAProxy has normalised it: percent-encoded where it must be, lower case."""
    path = quote(application.path.rstrip("/"), safe=PATH_SAFE).lower()
    return f"{site.key}{path}/"


def text(entries: Entries) -> str:
    """A map as a file, or as the payload of a command. Raises `HAProxyError`."""
    for word in (word for entry in entries for word in entry):
        if not word or word.split() != [word] or not word.isprintable():
            raise HAProxyError(f"{word[:100]!r} cannot be in a map")
    return "".join(f"{key} {value}\n" for key, value in entries)
