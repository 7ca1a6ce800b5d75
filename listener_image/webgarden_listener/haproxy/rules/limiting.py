"""Whether the pool takes the request now, and how long it may wait.

- Who is let in is marked in the map `active`, so that only pools that are used are read.
- A request that rings counts against the queue's limit. `connslots` tells: without a worker it is what the bell has
  free, `2 - connslots` ring, and it is below `COLD`.
- A worker's node may swallow packets: a connection that is not there after two seconds is given up, and the request,
  of which nothing has been sent, goes elsewhere. The same time ends a ring, so who rings rings anew; `RETRIES` of them
  outlast every wait.
- `timeout connect` of the defaults is the pause before a retry, and no request's time-out.
- When most connections are taken, nobody waits: a pool's queue must not take all places of others.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.commands import COLD
from webgarden_listener.haproxy.rules.frame import Frame

RETRIES = 1000
CONNECT = "var(txn.wait),div(900),add(2000)"
"""Milliseconds; longer for those who may wait for longer than two thousand seconds."""
UNAVAILABLE = 'content-type text/plain string "Service Unavailable"'
REFUSED = "{ var(txn.reason) -m found }"


def frontend(frame: Frame) -> Iterator[str]:
    yield "http-request set-var(txn.crowd) fe_conn"  # read here: it is zero in a backend
    yield f"http-request set-var(txn.limit) var(txn.pool),map_str_int({frame.map(maps.LIMITS)})"
    yield f"http-request set-var(txn.wait) var(txn.pool),map_str_int({frame.map(maps.WAITS)},120000)"
    closed = "unless { var(txn.limit) -m found }"
    yield f"http-request set-var(txn.state) var(txn.pool),map_str({frame.map(maps.STATES)},PoolMissing) {closed}"
    # A pool that starts in this moment has its limit a moment later.
    yield (
        "http-request set-var(txn.reason) var(txn.state) "
        f"if {{ var(txn.state) -m found }} !{{ var(txn.state) -m str {maps.STARTED} }}"
    )
    yield f"http-request return status 503 {UNAVAILABLE} if {REFUSED}"
    yield f"http-request set-var(txn.limit) int(1000) {closed}"
    active = frame.map(maps.ACTIVE)
    yield f"http-request set-map({active}) %[var(txn.pool)] 1 unless {{ var(txn.pool),map_str({active}) -m found }}"


def pool(frame: Frame) -> Iterator[str]:
    yield "option redispatch 1"
    yield "option allbackups"
    yield f"retries {RETRIES}"
    yield "retry-on conn-failure"
    yield "timeout connect 2ms"
    yield f"http-request set-timeout connect {CONNECT}"
    yield "http-request set-timeout queue var(txn.wait)"
    yield "http-request set-var(txn.slots) connslots if { queue gt 0 } or { var(txn.limit) -m int le 1 }"
    yield f"acl cold var(txn.slots) -m int lt {COLD}"
    full = "http-request set-var(txn.reason) str(QueueFull) if"
    yield f"{full} cold {{ queue,add(2),sub(txn.slots),sub(txn.limit) ge 0 }}"
    yield f"{full} !cold {{ queue gt 0 }} {{ queue,sub(txn.limit) ge 0 }} {{ be_conn_free le 0 }}"
    crowded = f"{{ var(txn.crowd) -m int ge {frame.crowd} }}"
    yield f"http-request set-var(txn.reason) str(Crowded) if {crowded} {{ be_conn_free le 0 }}"
    yield f"http-request deny status 503 if {REFUSED}"
