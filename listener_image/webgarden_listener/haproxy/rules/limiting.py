"""Whether the pool takes the request now, and how long it may wait.

- Who is let in is marked in the map `active`, so that only pools that are used are read.
- A request that rings counts against the queue's limit. `connslots` tells: without a worker it is what the bell has
  free, `2 - connslots` ring, and it is below `COLD`.
- A worker's node may swallow packets: a connection that is not there after two seconds is given up, and the request,
  of which nothing has been sent, goes elsewhere. The same time ends a ring, so who rings rings anew; `RETRIES` of them
  outlast every wait.
- `timeout connect` of the defaults is the pause before a retry, and no request's time-out.
- When most connections are taken, nobody waits: a pool's queue must not take all places of others.
- A small body that is on its way takes no worker's place: it is here before. A large one goes to the worker as it comes,
  since that may answer before it has all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.commands import COLD
from webgarden_listener.haproxy.rules.frame import Frame

RETRIES = 100_000
CONNECT = 2100
"""Milliseconds."""
SMALL, SMALL_WITHIN = 16_384, 15
"""Bytes of a body, and seconds: as long as a head may take."""
CROWDED = "{ var(txn.crowd) -m found }"


def frontend(frame: Frame) -> Iterator[str]:
    yield f"http-request set-var(txn.crowd) int(1) if {{ fe_conn ge {frame.crowd} }}"  # it is zero in a backend
    yield f"http-request set-var(txn.limit) var(txn.pool),map_str_int({frame.map(maps.LIMITS)})"


def pool(frame: Frame) -> Iterator[str]:
    active = frame.map(maps.ACTIVE)
    yield f"http-request set-map({active}) %[var(txn.pool)] 1 unless {{ var(txn.pool),map_str({active}) -m found }}"
    small = f"{{ req.hdr_val(content-length) -m int 1:{SMALL} }}"
    yield f"http-request wait-for-body time {SMALL_WITHIN}s if {small}"
    yield "option redispatch 1"
    yield "option allbackups"
    yield f"retries {RETRIES}"
    yield "retry-on conn-failure"
    yield "timeout connect 2ms"
    yield f"http-request set-timeout connect int({CONNECT})"
    yield f"http-request set-timeout queue var(txn.pool),map_str_int({frame.map(maps.WAITS)},120000)"
    yield "http-request set-var(txn.slots) connslots if { queue gt 0 } or { var(txn.limit) -m int le 1 }"
    yield f"acl cold var(txn.slots) -m int lt {COLD}"
    full = "http-request set-var(txn.reason) str(QueueFull) if"
    yield f"{full} cold {{ queue,add(2),sub(txn.slots),sub(txn.limit) ge 0 }}"
    yield f"{full} !cold {{ queue gt 0 }} {{ queue,sub(txn.limit) ge 0 }} {{ be_conn_free le 0 }}"
    yield f"http-request set-var(txn.reason) str(Crowded) if {CROWDED} {{ be_conn_free le 0 }}"
    yield "http-request deny status 503 if { var(txn.reason) -m found }"


def refusal(frame: Frame) -> Iterator[str]:
    """A pool that nobody knows, or that is stopped."""
    yield f"http-request set-var(txn.reason) var(txn.pool),map_str({frame.map(maps.STATES)},PoolMissing)"
    # One that starts in this moment has its state already, and its limit a moment later.
    yield f"http-request set-var(txn.reason) str(PoolMissing) if {{ var(txn.reason) -m str {maps.STARTED} }}"
    yield 'http-request return status 503 content-type text/plain string "Service Unavailable"'
