"""The file that HAProxy starts from. Pure: the same table gives the same text.

Read once in a process's life: the rules, which never change while it runs, and the pools and workers as they were known
last, so that an HAProxy that comes back after a crash serves before the agent has spoken. From then on all that changes
is told by commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from webgarden_link import Pool
from webgarden_listener.haproxy import maps, rules
from webgarden_listener.haproxy.commands import bell_options, check_interval, server_options
from webgarden_listener.haproxy.names import BELL, NODE, READY, backend, defaults
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.table import Routing, leaves, stopped

ANSWER = 120
"""Seconds of silence from a worker before it is given up: HTTP.sys's connection timeout."""
RINGS = 5000
"""Connections besides the clients': a pool that is waited for has one, probes and commands a few."""
HOT = 128
"""Buffers that a thread keeps at hand: with the default, which is half a megabyte, larger ones came from the allocator and
a request cost a third more."""
REWRITE = 1024
"""Bytes that our own headers may add to a head."""


def config(frame: Frame, known: Routing, *, ready: bool) -> str:
    """The whole file."""
    return "".join(f"{line}\n" for line in lines(frame, known, ready))


def lines(frame: Frame, known: Routing, ready: bool) -> Iterator[str]:
    yield from section("global", general(frame))
    yield from section(f"log-profile {rules.logging.PROFILE}", rules.logging.profile())
    yield from section("defaults base", base(frame))
    yield from section("defaults pool from base", pools(frame))
    yield from section("defaults affine from base", [*pools(frame), f"cookie {COOKIE}"])
    yield from section("frontend health from base", health(frame))
    yield from section("frontend www from base", www(frame))
    yield from section("backend nowhere from base", rules.lines(rules.REFUSAL, frame))
    yield from section(f"backend {NODE} from base", node(ready))
    yield from section("defaults ring", ring())
    yield from section("frontend bell from ring", bell(frame))
    yield from section("backend agent from ring", agent(frame))
    for pool in known.pools.values():
        name = backend(pool.key, affine=known.affine(pool.key))
        yield from section(
            f"backend {name} from {defaults(name)}", servers(frame, known, pool, check_interval(known.workers))
        )


COOKIE = "WebgardenWorker insert indirect nocache httponly"


def section(title: str, body: Iterable[str]) -> Iterator[str]:
    yield title
    for line in body:
        yield f"  {line}"


def general(frame: Frame) -> Iterator[str]:
    settings = frame.settings.haproxy
    yield f"nbthread {settings.threads}"
    yield "thread-groups 1"
    yield f"maxconn {frame.connections + RINGS}"
    yield "no strict-limits"
    yield "expose-experimental-directives"
    yield f"tune.bufsize {settings.head_size + REWRITE}"
    yield f"tune.maxrewrite {REWRITE}"
    yield f"tune.memory.hot-size {HOT * (settings.head_size + REWRITE)}"
    yield f"tune.http.maxhdr {settings.head_lines}"
    yield f"stats socket unix@{frame.settings.directory.admin} mode 600 level admin"


def base(frame: Frame) -> Iterator[str]:
    yield "mode http"
    yield "option dontlognull"
    yield "timeout connect 2s"
    yield f"timeout client {ANSWER}s"
    yield f"timeout server {ANSWER}s"
    yield "timeout tunnel 1h"
    yield "timeout queue 120s"
    yield "timeout http-request 15s"
    yield f"timeout http-keep-alive {frame.settings.haproxy.keep_alive}s"


def pools(frame: Frame) -> Iterator[str]:
    """What every pool inherits.

    `safe`: a client's first request never goes over a connection that another client's requests have used and nobody
    has proved. Who has proved on a connection who he is keeps it to himself: see `forwarding`.
    """
    yield "balance roundrobin"
    yield "http-reuse safe"
    yield "option http-no-delay"
    yield f"log {frame.settings.directory.events} format raw local0 notice"  # workers that go down or come up
    yield from rules.lines(rules.POOL, frame)


def health(frame: Frame) -> Iterator[str]:
    """Probes and metrics: connections of their own, so that no crowd of clients makes this listener look dead."""
    port = frame.settings.haproxy.health_port
    yield "maxconn 50"
    yield f"bind :{port}"
    if frame.ipv6:
        yield f"bind :::{port} v6only"
    ready = f"{{ nbsrv({NODE}) gt 0 }}"
    yield 'http-request return status 200 content-type text/plain string "ok" if { path /healthz }'
    yield f'http-request return status 200 content-type text/plain string "ready" if {{ path /readyz }} {ready}'
    yield 'http-request return status 503 content-type text/plain string "not ready" if { path /readyz }'
    yield "http-request use-service prometheus-exporter if { path /metrics }"
    yield 'http-request return status 404 content-type text/plain string "not found"'


def www(frame: Frame) -> Iterator[str]:
    yield from rules.lines(rules.FRONTEND, frame)
    yield "use_backend %[var(txn.pool)] if { var(txn.limit) -m found }"
    yield "default_backend nowhere"


def node(ready: bool) -> Iterator[str]:
    yield f"server {READY.partition('/')[2]} 127.0.0.1:9{'' if ready else ' disabled'}"


def ring() -> Iterator[str]:
    yield "mode tcp"
    yield "timeout client 1h"
    yield "timeout server 1h"
    yield "timeout connect 1s"
    yield "retries 0"


def bell(frame: Frame) -> Iterator[str]:
    """Where pools ring. While there is no agent each ring is held for a second, so that they ring once a second."""
    yield f"bind unix@{frame.settings.directory.bell} mode 600"
    yield "tcp-request inspect-delay 1s"
    yield "tcp-request content accept if { nbsrv(agent) gt 0 }"
    yield "tcp-request content reject if WAIT_END"
    yield "default_backend agent"


def agent(frame: Frame) -> Iterator[str]:
    """A ring that finds nobody there marks it down at once; whether it is back is asked often."""
    at_once = "check inter 1s downinter 100ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down"
    yield f"server agent unix@{frame.settings.directory.agent} {at_once}"


def servers(frame: Frame, known: Routing, pool: Pool, interval: float) -> Iterator[str]:
    yield f"server {BELL} {bell_options(frame.settings.directory.bell)}{' disabled' if stopped(pool) else ''}"
    limit = known.share(pool.worker_limit)
    for worker in pool.workers:
        if not leaves(pool, worker):
            yield f"server {worker.name} {server_options(worker, limit=limit, interval=interval)}"


def entries(known: Routing) -> maps.Entries:
    """Every map's entries, as they are when HAProxy starts."""
    made = {(maps.TERMINATIONS.name, key): value for key, value in rules.answering.TERMINATIONS.items()}
    wanted: dict[maps.Key, str | None] = {}
    claims = maps.Claims()
    for site in known.sites.values():
        wanted.update(claims.put(site.key, site.version, maps.site_entries(known, site)))
    for pool in known.pools.values():
        name = backend(pool.key, affine=known.affine(pool.key))
        wanted.update(maps.pool_entries(name, pool, queue_limit=known.share(pool.queue_limit)))
    return made | {key: value for key, value in wanted.items() if value is not None}
