"""The difference between what a pool's servers in HAProxy are and what they should be, as commands. Pure.

Level-triggered: it is computed anew from what HAProxy says each time, so a command that failed is simply found
missing again.

Rules
- A worker is added when it answers on its port; it then stays, in whatever state HAProxy's own checks find it.
- A server that must go (its worker left the table, or has another address) is put into maintenance, its requests
  are cut, and it is deleted as soon as HAProxy allows it.
- A request that the gate carries counts against its worker's limit, and so does one that an older process has; a worker
  that is full of them gets none from the process that accepts.
- A place in a worker is HAProxy's or the gate's. HAProxy gets one only when the gate has confirmed that it has it no more
  (`granting`), and the gate has what HAProxy has not, and is not about to get.
- HAProxy looks at those who wait only when a slot changes, so it overlooks them when the last active server goes, and
  now and then when a worker is taken back: setting a limit, to the value that it has, makes it look. Maintenance of
  the gate is no way to do that: it throws them out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from webgarden_link import Pool, Worker
from webgarden_listener.gate.views import Hand, PoolView, WorkerView
from webgarden_listener.haproxy.config import options
from webgarden_listener.haproxy.names import GATE, backend
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.table import Endpoint, endpoint, leaves, stopped


@dataclass(frozen=True)
class Wish:
    """How a worker should stand in HAProxy."""

    worker: Worker
    limit: int
    """What the accepting process may give it; 0 when the requests of others fill it."""
    drain: bool
    elsewhere: int = 0
    """What older processes have in it, or may still give it."""

    @property
    def serves(self) -> bool:
        return not self.drain and self.limit > 0


def wishes(pool: Pool, answering: Collection[Endpoint], hand: Hand, old: Collection[Backend] = ()) -> dict[str, Wish]:
    """The workers that answer, by name; `old` is the pool in the processes that finish."""
    return {worker.name: wish(pool, worker, hand, old) for worker in pool.workers if endpoint(worker) in answering}


def wish(pool: Pool, worker: Worker, hand: Hand, old: Collection[Backend]) -> Wish:
    reserved = 1 if hand.waiting else 0  # in each, since nobody knows which one the gate will take
    elsewhere = sum(claimed(worker, one) for one in old)
    return Wish(
        worker,
        limit=max(0, worker.limit - hand.spliced.get(worker.name, 0) - reserved - elsewhere),
        drain=leaves(pool, worker),
        elsewhere=elsewhere,
    )


def claimed(worker: Worker, found: Backend) -> int:
    """What an older process may run on the worker: those who queue there take each place that gets free."""
    server = found.servers.get(worker.name)
    if server is None or not same(server, worker):
        return 0
    return min(server.limit, server.in_flight + found.queued) if server.serving else server.in_flight


def commands(pool: Pool, found: Backend, wanted: Mapping[str, Wish], hand: Hand, *, granting: bool = True) -> list[str]:
    """What to tell HAProxy, in this order; without `granting`, nothing that lets it give out more. Only the deletes may be
    refused."""
    name = backend(pool.key)
    workers = {worker.name: worker for worker in pool.workers}
    foreign = {key: one for key, one in found.servers.items() if key not in workers or not same(one, workers[key])}
    own = {key: one for key, one in found.servers.items() if key not in foreign}
    made = [line for key, one in foreign.items() for line in removal(f"{name}/{key}", one)]
    made += [line for key, wish in wanted.items() if key in own for line in narrowing(name, wish, own[key])]
    if granting:
        made += [line for key, wish in wanted.items() if key not in found.servers for line in addition(name, wish)]
        waiting = found.queued > 0
        made += [line for key, wish in wanted.items() if key in own for line in widening(name, wish, own[key], waiting)]
    return made + list(gate(pool, found, wanted, hand, moved=bool(made)))


def same(server: Server, worker: Worker) -> bool:
    address, _, port = server.address.rpartition(":")
    try:
        known = ipaddress.ip_address(address.strip("[]")) == ipaddress.ip_address(worker.address)
    except ValueError:
        return False
    return known and port == str(worker.port)


def removal(name: str, server: Server) -> Iterable[str]:
    if not server.stopped:
        yield f"set server {name} state maint"
    if not server.idle:
        yield f"shutdown sessions server {name}"
    if server.stopped and server.idle:
        yield f"del server {name}"


def addition(pool: str, wish: Wish) -> Iterable[str]:
    if wish.serves:
        name = f"{pool}/{wish.worker.name}"
        yield f"add server {name} {options(wish.worker, wish.limit)}"
        yield f"enable health {name}"
        yield f"set server {name} state ready"


def narrowing(pool: str, wish: Wish, server: Server) -> Iterable[str]:
    name = f"{pool}/{wish.worker.name}"
    if wish.serves and server.limit > wish.limit:
        yield f"set maxconn server {name} {wish.limit}"
    if not wish.serves and not (server.draining or server.stopped):
        yield f"set server {name} state drain"


def widening(pool: str, wish: Wish, server: Server, waiting: bool) -> Iterable[str]:
    name = f"{pool}/{wish.worker.name}"
    overlooked = waiting and server.serving and server.in_flight < server.limit == wish.limit
    if wish.serves and (server.limit < wish.limit or overlooked):
        yield f"set maxconn server {name} {wish.limit}"
    if wish.serves and (server.draining or server.stopped):
        yield f"enable health {name}"
        yield f"set server {name} state ready"


def gate(pool: Pool, found: Backend, wanted: Mapping[str, Wish], hand: Hand, *, moved: bool) -> Iterable[str]:
    """Keep a slot free besides what it carries; throw out those who wait when the pool is stopped; make HAProxy look."""
    if found.gate is None:
        return
    name = f"{backend(pool.key)}/{GATE}"
    slots = 1 + sum(hand.spliced.values())
    if stopped(pool) != found.gate.stopped:
        yield f"set server {name} state {'maint' if stopped(pool) else 'ready'}"
    overlooked = found.queued > 0 and found.gate.in_flight < slots and not found.serving
    alone = moved and not any(wish.serves for wish in wanted.values())
    if found.gate.limit != slots or overlooked or alone:
        yield f"set maxconn server {name} {slots}"


def view(pool: Pool, found: Backend, wanted: Mapping[str, Wish]) -> PoolView:
    """The pool as the gate must see it."""
    workers = tuple(worker_view(worker, found.servers.get(worker.name), wanted) for worker in pool.workers)
    if stopped(pool):
        return PoolView(pool.queue_timeout, pool.reason, pool.retry_after, workers)
    return PoolView(pool.queue_timeout, workers=workers)


def worker_view(worker: Worker, server: Server | None, wanted: Mapping[str, Wish]) -> WorkerView:
    wish = wanted.get(worker.name)
    usable = wish is not None and not wish.drain and not (server is not None and server.down)
    room = worker.limit - wish.elsewhere - taken(wish, server) if wish is not None and usable else 0
    return WorkerView(worker.name, worker.address, worker.port, max(0, room))


def taken(wish: Wish, server: Server | None) -> int:
    """What the accepting process runs on the worker, may run at any moment, or is about to be allowed."""
    granted = wish.limit if wish.serves else 0
    if server is None or not same(server, wish.worker):
        return granted
    return max(granted, server.in_flight, server.limit if server.serving else 0)


def needs_worker(pool: Pool, found: Backend, wanted: Mapping[str, Wish], hand: Hand) -> bool:
    """Whether somebody waits for a pool that has nobody to serve it: no worker that answers stays, full or not."""
    someone = hand.waiting > 0 or found.queued > 0
    down = {name for name, server in found.servers.items() if server.down}
    able = any(not wish.drain and name not in down for name, wish in wanted.items())
    return someone and not stopped(pool) and not found.serving and not able
