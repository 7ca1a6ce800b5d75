"""What HAProxy is told of a pool, given what it says and what is wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from webgarden_link import Pool, PoolState, Worker, WorkerState
from webgarden_listener import tending
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.table import endpoint
from webgarden_listener.tending import Wanted

WORKER = Worker(name="w1", address="10.0.0.1", port=80)
LEAVING = WORKER.model_copy(update={"state": WorkerState.DRAINING})
SECOND = WORKER.model_copy(update={"name": "w2", "address": "10.0.0.2"})
KICK = "set maxconn server n:p/_bell 1"


def bell(status: str = "no check", *, rings: bool = False) -> Server:
    return Server("unix", 1, status, in_flight=1 if rings else 0)


def server(status: str = "UP", *, in_flight: int = 0, queued: int = 0, limit: int = 5, address: str = "") -> Server:
    return Server(address or "10.0.0.1:80", limit, status, in_flight=in_flight, queued=queued)


def wanted(*workers: Worker, answering: Sequence[Worker] | None = None, stopped: bool = False) -> Wanted:
    known = workers if answering is None else answering
    return Wanted(
        pool=Pool(key="n/p", workers=workers, state=PoolState.STOPPED if stopped else PoolState.STARTED),
        backend="n:p",
        queue_limit=10,
        worker_limit=5,
        answering={endpoint(one) for one in known},
        interval=2.0,
        bell=Path("/run/bell.sock"),
    )


def found(*, queued: int = 0, at: Server | None = None, **servers: Server) -> Backend:
    return Backend(queued=queued, bell=at or bell(), servers=servers)


def told(want: Wanted, has: Backend) -> list[str]:
    return [command.text for command in tending.changes(want, has)]


def test_nothing_is_told_when_all_is_as_it_should_be() -> None:
    assert told(wanted(WORKER), found(w1=server())) == []
    assert told(wanted(), found()) == []


def test_a_backend_that_was_made_half_is_made_whole() -> None:
    add, ready, publish = told(wanted(), Backend())
    assert add.startswith("add server n:p/_bell unix@/run/bell.sock ")
    assert (ready, publish) == ("set server n:p/_bell state ready", "publish backend n:p")
    unchecked = told(wanted(WORKER), found(w1=server("no check")))
    assert unchecked[0] == "enable health n:p/w1"


def test_a_worker_whose_connections_must_not_be_kept_any_more_is_added_anew() -> None:
    want = dataclasses.replace(wanted(WORKER), worker_limit=1)
    kept = dataclasses.replace(server(limit=100), cookie="w1")
    assert told(want, found(w1=kept))[0] == "set server n:p/w1 state maint"
    assert tending.drains(want, found(w1=kept))
    assert "pool-max-conn 0" in told(want, found())[0]
    single = dataclasses.replace(server(in_flight=1, limit=1), cookie="w1.1")
    assert told(wanted(WORKER), found(w1=single))[0] == "set maxconn server n:p/w1 5"
    assert (
        told(wanted(WORKER), found(w1=dataclasses.replace(single, in_flight=0)))[0] == "set server n:p/w1 state maint"
    )


def test_a_worker_that_answers_is_added_and_one_that_does_not_is_not() -> None:
    add, health, ready, kick = told(wanted(WORKER), found())
    assert add.startswith("add server n:p/w1 10.0.0.1:80 maxconn 5 ")
    assert (health, ready, kick) == ("enable health n:p/w1", "set server n:p/w1 state ready", KICK)
    assert told(wanted(WORKER, answering=()), found()) == []


def test_a_worker_that_is_found_unwell_stays_in_haproxys_hands() -> None:
    assert told(wanted(WORKER), found(w1=server("DOWN"))) == []
    assert told(wanted(WORKER, answering=()), found(w1=server("DOWN 1/2"))) == []


def test_a_worker_that_leaves_gets_nothing_new_and_is_deleted_when_it_is_empty() -> None:
    shut = ["set server n:p/w1 state maint", KICK, KICK]
    assert told(wanted(LEAVING), found(w1=server(in_flight=1))) == shut
    assert told(wanted(LEAVING), found(w1=server("MAINT", in_flight=1))) == []
    assert "del server n:p/w1" in told(wanted(LEAVING), found(w1=server("MAINT")))


def test_a_worker_that_is_taken_back_gets_requests_again() -> None:
    assert told(wanted(WORKER), found(w1=server("MAINT"))) == ["set server n:p/w1 state ready", KICK]


def test_a_worker_that_left_the_table_is_cut() -> None:
    assert told(wanted(), found(w1=server(in_flight=1)))[:2] == [
        "set server n:p/w1 state maint",
        "shutdown sessions server n:p/w1",
    ]


@pytest.mark.parametrize("address", ["10.0.0.9:80", "10.0.0.1:81", "[fd00::1]:80"])
def test_another_address_is_another_worker(address: str) -> None:
    assert "shutdown sessions server n:p/w1" in told(wanted(WORKER), found(w1=server(address=address)))


@pytest.mark.parametrize("address", ["", "-", "unix", "Connection refused", ":", "nonsense:80"])
def test_an_address_that_cannot_be_read_is_never_foreign(address: str) -> None:
    assert not tending.differs(Server(address, 5, "UP"), WORKER)


def test_one_address_has_several_spellings() -> None:
    worker = WORKER.model_copy(update={"address": "fd00::0:1"})
    assert not tending.differs(server(address="[fd00::1]:80"), worker)
    assert not tending.differs(server(address="fd00::1:80"), worker)


def test_a_changed_limit_is_set() -> None:
    assert told(wanted(WORKER), found(w1=server(limit=9)))[0] == "set maxconn server n:p/w1 5"


def test_those_whom_haproxy_overlooks_are_looked_at() -> None:
    assert KICK in told(wanted(), found(queued=3))
    assert told(wanted(), found(queued=3, at=bell(rings=True))) == []
    assert "set maxconn server n:p/w1 5" in told(wanted(WORKER), found(queued=3, w1=server(in_flight=4)))
    assert told(wanted(WORKER), found(queued=3, w1=server(in_flight=5))) == []
    assert "set maxconn server n:p/w1 5" in told(wanted(WORKER), found(queued=1, w1=server(queued=1)))


def test_a_stopped_pool_throws_out_those_who_wait_and_a_started_one_takes_them_again() -> None:
    stopped = told(wanted(WORKER, stopped=True), found(queued=2, w1=server()))
    assert "set server n:p/_bell state maint" in stopped
    assert "set server n:p/w1 state maint" in stopped
    assert told(wanted(), found(at=bell("MAINT"))) == ["set server n:p/_bell state ready"]


def apart(has: Backend, *, cut: bool) -> list[str]:
    return [one.text for one in tending.taking_apart("n:p", has, cut=cut)]


def test_a_pool_that_is_gone_takes_nobody_and_lets_answers_end() -> None:
    busy = found(w1=server(in_flight=1))
    assert apart(busy, cut=False) == ["set server n:p/_bell state maint", "set server n:p/w1 state maint"]
    assert apart(found(w1=server()), cut=False)[-1] == "del backend n:p"


def test_what_outlasts_a_pool_is_cut() -> None:
    orders = apart(found(w1=server(in_flight=1)), cut=True)
    assert "shutdown sessions server n:p/w1" in orders
    assert orders[-1] == "del backend n:p"


def test_a_worker_is_needed_when_somebody_waits_and_nobody_serves() -> None:
    def needed(want: Wanted, has: Backend, *, rings: bool = False) -> bool:
        return tending.needs_worker(want, has, rings=rings)

    assert needed(wanted(), found(), rings=True)
    assert needed(wanted(), found(queued=1))
    assert not needed(wanted(), found())
    assert not needed(wanted(WORKER), found(queued=1, w1=server(in_flight=5)))
    assert not needed(wanted(stopped=True), found(queued=1))
    assert not needed(wanted(WORKER), found(queued=1))  # it answers, and is about to be used
    assert needed(wanted(WORKER), found(queued=1, w1=server("DOWN")))
    assert needed(wanted(LEAVING), found(queued=1, w1=server("MAINT", in_flight=1)))
    assert not needed(wanted(LEAVING, SECOND), found(queued=1, w2=server(address="10.0.0.2:80")))


def test_a_pool_drains_while_a_worker_that_leaves_is_still_there() -> None:
    assert tending.drains(wanted(LEAVING), found(w1=server("MAINT", in_flight=1)))
    assert not tending.drains(wanted(LEAVING), found())
    assert not tending.drains(wanted(WORKER), found(w1=server()))
