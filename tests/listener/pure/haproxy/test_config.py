"""The file that HAProxy starts from: the table as it was known last."""

from __future__ import annotations

import re
from pathlib import Path

from webgarden_link import Affinity, Application, Pool, PoolState, Site, Table, Worker, WorkerState
from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.config import config, entries
from webgarden_listener.haproxy.names import NODE
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.settings import Directory, Settings
from webgarden_listener.table import Routing

FRAME = Frame(Settings(Directory(Path("/run/webgarden"))), connections=1000, ipv6=True)
WORKER = Worker(name="w1", address="10.0.0.1", port=80)


def known(*pools: Pool, sites: tuple[Site, ...] = (), listeners: int = 1) -> Routing:
    made = Routing()
    made.take(Table(pools=pools, sites=sites, listeners=listeners))
    return made


def sections(table: Routing, *, ready: bool = True) -> dict[str, list[str]]:
    """Of the file: titles, and the lines below."""
    found: dict[str, list[str]] = {}
    for line in config(FRAME, table, ready=ready).splitlines():
        if not line.startswith(" "):
            below = found[line] = []
        else:
            below.append(line.strip())
    return found


def test_the_same_table_gives_the_same_text() -> None:
    pools = (Pool(key="n/p", workers=(WORKER,)), Pool(key="n/q"))
    assert config(FRAME, known(*pools), ready=True) == config(FRAME, known(*pools), ready=True)


def test_workers_that_stay_are_in_the_file_with_their_share() -> None:
    leaving = WORKER.model_copy(update={"name": "w2", "state": WorkerState.DRAINING})
    pool = Pool(key="n/p", worker_limit=10, workers=(WORKER, leaving))
    bell, worker = sections(known(pool, listeners=2))["backend n:p from pool"]
    assert bell.startswith("server _bell unix@/run/webgarden/bell.sock backup maxconn 1 ")
    assert worker.startswith("server w1 10.0.0.1:80 maxconn 5 ")


def test_a_stopped_pool_takes_nobody() -> None:
    stopped = Pool(key="n/p", state=PoolState.STOPPED, workers=(WORKER,))
    (bell,) = sections(known(stopped))["backend n:p from pool"]
    assert bell.endswith(" disabled")


def test_a_pool_whose_clients_keep_to_their_workers_is_the_other_backend() -> None:
    kept = Application(path="/", pool="n/p", affinity=Affinity.COOKIE)
    site = Site(key="n/s", bindings=(), applications=(kept,))
    found = sections(known(Pool(key="n/p"), sites=(site,)))
    assert "backend n:p:cookie from affine" in found
    assert "backend n:p from pool" not in found


def test_the_file_says_from_the_start_whether_clients_are_wanted() -> None:
    ready, not_yet = (sections(known(), ready=ready)[f"backend {NODE} from base"][0] for ready in (True, False))
    assert not_yet == f"{ready} disabled"


def test_the_maps_hold_what_the_pools_have_and_not_what_they_have_not() -> None:
    stopped = Pool(key="n/q", state=PoolState.STOPPED, reason="Disabled")
    found = entries(known(Pool(key="n/p", queue_limit=9), stopped, listeners=3))
    assert found[maps.LIMITS.name, "n:p"] == "3"
    assert found[maps.STATES.name, "n:q"] == "Disabled"
    assert (maps.LIMITS.name, "n:q") not in found
    assert (maps.RETRY.name, "n:p") not in found


def test_every_map_of_the_file_is_declared_and_every_declared_one_is_used() -> None:
    used = set(re.findall(r"/run/webgarden/maps/([\w-]+)\.map", config(FRAME, known(), ready=True)))
    assert used == {one.name for one in maps.MAPS}
