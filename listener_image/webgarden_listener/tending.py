"""The difference between what a pool is in HAProxy and what it should be, as commands. Pure.

Level-triggered: it is computed anew from what HAProxy says each time, so a command that failed is simply found missing
again.

Rules
- A worker is added when it answers on its port; it then stays, in whatever state HAProxy's own checks find it.
- A worker that leaves gets no new request (maintenance), and is deleted when it has none: the deletion is the proof.
- A server that must go (its worker left the table, or has another address) has its requests cut first.
- HAProxy looks at those who wait only when a slot changes, so it overlooks them when the last worker leaves, and now and
  then when one is taken back: setting a limit, to the value that it has, makes it look.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from webgarden_link import Pool, Worker
from webgarden_listener.haproxy import commands
from webgarden_listener.haproxy.commands import Command
from webgarden_listener.haproxy.names import BELL
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.table import Endpoint, endpoint, leaves, stopped


@dataclass(frozen=True)
class Wanted:
    """One pool as HAProxy should have it. Limits are this listener's shares."""

    pool: Pool
    backend: str
    queue_limit: int
    worker_limit: int
    answering: Collection[Endpoint]
    interval: float
    """Seconds between two checks of a new worker."""
    bell: Path
    """Where pools ring."""


def changes(wanted: Wanted, found: Backend) -> Iterator[Command]:
    """What to tell HAProxy of a backend that it has, in this order."""
    made: list[Command] = []
    for name, server in found.servers.items():
        worker = next((one for one in wanted.pool.workers if one.name == name), None)
        if worker is None or differs(server, worker):
            made += removal(wanted.backend, name, server)
        elif leaves(wanted.pool, worker) or other_kind(wanted, server, worker):
            made += retirement(wanted.backend, name, server)
        else:
            made += staying(wanted, name, server)
    for worker in wanted.pool.workers:
        if worker.name not in found.servers and serves(wanted, worker):
            made += commands.add_server(wanted.backend, worker, limit=wanted.worker_limit, interval=wanted.interval)
    yield from made
    yield from bell(wanted, found, moved=bool(made))


def serves(wanted: Wanted, worker: Worker) -> bool:
    return endpoint(worker) in wanted.answering and not leaves(wanted.pool, worker)


def differs(server: Server, worker: Worker) -> bool:
    """Whether it is certainly another one: what cannot be read is never foreign."""
    address, _, port = server.address.rpartition(":")
    try:
        known = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    return known != ipaddress.ip_address(worker.address) or port != str(worker.port)


def removal(backend: str, name: str, server: Server) -> Iterator[Command]:
    address = f"{backend}/{name}"
    if not server.stopped:
        yield commands.set_maintenance(address)
    yield commands.cut(address)
    yield from commands.remove_server(address)


def retirement(backend: str, name: str, server: Server) -> Iterator[Command]:
    address = f"{backend}/{name}"
    if not server.stopped:
        yield commands.set_maintenance(address)
        yield commands.kick(backend)
    elif server.idle:
        yield from commands.remove_server(address)


def other_kind(wanted: Wanted, server: Server, worker: Worker) -> bool:
    """Whether it must be added anew: whether its connections are kept is fixed when it is added.

    One that may take more than before need not stop for that, and waits for a moment without requests.
    """
    differs = server.cookie not in ("", commands.cookie(worker.name, limit=wanted.worker_limit))
    return differs and (wanted.worker_limit == 1 or server.idle)


def staying(wanted: Wanted, name: str, server: Server) -> Iterator[Command]:
    address = f"{wanted.backend}/{name}"
    if not server.checked:
        yield commands.enable_health(address)
    if server.stopped:
        yield commands.set_ready(address)
    if server.limit != wanted.worker_limit or overlooks(server, wanted.worker_limit):
        yield commands.set_limit(address, wanted.worker_limit)


def overlooks(server: Server, limit: int) -> bool:
    return server.serving and server.queued > 0 and server.in_flight < limit


def bell(wanted: Wanted, found: Backend, *, moved: bool) -> Iterator[Command]:
    """Throw out those who wait when the pool is stopped; make HAProxy look at them when it has not."""
    address = f"{wanted.backend}/{BELL}"
    if found.bell is None:  # somebody was ended in the middle of making it, or of taking it apart
        yield from commands.add_bell(wanted.backend, bell=wanted.bell)
        yield commands.publish(wanted.backend)
    if stopped(wanted.pool) and not found.silent:
        yield commands.set_maintenance(address)
    if not stopped(wanted.pool) and found.silent:
        yield commands.set_ready(address)
    if moved or overlooked(found):
        yield from looking(wanted, found)


def overlooked(found: Backend) -> bool:
    """Whether somebody waits though there is a place, or nobody rings."""
    if not found.queued:
        return False
    free = any(server.serving and server.in_flight < server.limit for server in found.servers.values())
    return free or (not found.serving and not found.rings)


def looking(wanted: Wanted, found: Backend) -> Iterator[Command]:
    yield commands.kick(wanted.backend)
    for worker in wanted.pool.workers:
        server = found.servers.get(worker.name)
        if server is not None and server.serving and serves(wanted, worker):
            yield commands.set_limit(f"{wanted.backend}/{worker.name}", wanted.worker_limit)


def taking_apart(backend: str, found: Backend, *, cut: bool) -> Iterator[Command]:
    """A backend that no pool has any more: nobody new, and with `cut` nobody at all."""
    yield commands.set_maintenance(f"{backend}/{BELL}")
    for name, server in found.servers.items():
        address = f"{backend}/{name}"
        yield commands.set_maintenance(address)
        if cut:
            yield commands.cut(address)
        if cut or server.idle:
            yield from commands.remove_server(address)
    if cut or found.idle:
        yield from commands.remove_backend(backend)


def has_room(wanted: Wanted, found: Backend) -> bool:
    """Whether somebody serves the pool: full or not, those who wait are its business."""
    known = {worker.name: worker for worker in wanted.pool.workers}
    serving = (name for name, server in found.servers.items() if server.serving)
    return any(name in known and not leaves(wanted.pool, known[name]) for name in serving)


def needs_worker(wanted: Wanted, found: Backend, *, rings: bool) -> bool:
    """Whether somebody waits for a pool that has nobody to serve it."""
    someone = rings or found.queued > 0
    return someone and not stopped(wanted.pool) and not comes(wanted, found) and not has_room(wanted, found)


def comes(wanted: Wanted, found: Backend) -> bool:
    """Whether a worker is added, or about to be."""
    return any(serves(wanted, worker) and worker.name not in found.servers for worker in wanted.pool.workers)


def drains(wanted: Wanted, found: Backend) -> bool:
    """Whether a server waits for its requests to end."""
    known = {worker.name: worker for worker in wanted.pool.workers}
    return any(name not in known or goes(wanted, known[name], server) for name, server in found.servers.items())


def goes(wanted: Wanted, worker: Worker, server: Server) -> bool:
    return leaves(wanted.pool, worker) or differs(server, worker) or other_kind(wanted, server, worker)
