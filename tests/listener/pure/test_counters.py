"""Totals in one life of HAProxy."""

from __future__ import annotations

from webgarden_listener.counters import Totals
from webgarden_listener.haproxy.stats import Backend, Server


def worker(requests: int, *, failed: int = 0, lost: int = 0) -> Server:
    return Server("10.0.0.1:80", 5, "UP", requests=requests, failed=failed, lost=lost)


def begun(boot: str = "1") -> Totals:
    made = Totals()
    made.begin(boot)
    return made


def test_what_haproxy_counted_before_counts_too() -> None:
    totals = begun()
    totals.observe("n:p", Backend(servers={"w1": worker(10)}))
    totals.observe("n:p", Backend(servers={"w1": worker(15)}))
    assert totals.requests("n/p", "w1") == 15


def test_a_server_that_is_removed_and_added_again_goes_on() -> None:
    totals = begun()
    totals.observe("n:p", Backend(servers={"w1": worker(10)}))
    totals.forget_servers("n:p", ["w1"])
    totals.observe("n:p", Backend(servers={"w1": worker(12)}))
    assert totals.requests("n/p", "w1") == 22


def test_both_backends_of_a_pool_add_up() -> None:
    totals = begun()
    totals.observe("n:p", Backend(servers={"w1": worker(10)}))
    totals.observe("n:p:cookie", Backend(servers={"w1": worker(4)}))
    assert totals.requests("n/p", "w1") == 14


def test_another_life_of_haproxy_begins_at_zero_and_the_same_one_does_not() -> None:
    totals = begun("1")
    totals.observe("n:p", Backend(refused=2, servers={"w1": worker(10)}))
    totals.begin("1")
    assert totals.requests("n/p", "w1") == 10
    totals.begin("2")
    assert (totals.requests("n/p", "w1"), totals.rejected("n/p"), totals.boot) == (0, 0, "2")


def test_what_was_refused_and_who_waited_for_too_long_is_rejected_and_what_a_worker_failed_is_not() -> None:
    totals = begun()
    bell = Server("unix", 1, "no check", answered_5xx=1)
    totals.observe("n:p", Backend())
    totals.observe("n:p", Backend(refused=2, failed=5, bell=bell, servers={"w1": worker(0, failed=4)}))
    assert totals.rejected("n/p") == 2 + (5 - 4) + 1


def test_what_workers_failed_that_are_deleted_by_now_is_not_rejected_by_an_agent_that_starts() -> None:
    totals = begun()
    totals.observe("n:p", Backend(refused=2, failed=10))
    assert totals.rejected("n/p") == 2
    totals.observe("n:p", Backend(refused=2, failed=11))
    assert totals.rejected("n/p") == 3


def test_who_is_thrown_out_by_a_stop_is_not_rejected() -> None:
    totals = begun()
    totals.observe("n:p", Backend(failed=1))
    totals.observe("n:p", Backend(failed=10, bell=Server("unix", 1, "MAINT")))
    totals.observe("n:p", Backend(failed=11, bell=Server("unix", 1, "no check")))
    assert totals.rejected("n/p") == 1


def test_requests_that_a_worker_lost_are_named_once() -> None:
    totals = begun()
    found = Backend(servers={"w1": worker(5, lost=2), "w2": worker(5)})
    assert totals.observe("n:p", found) == {"w1": 2}
    assert totals.observe("n:p", found) == {}


def test_workers_that_a_pool_has_no_more_are_forgotten_and_the_others_go_on() -> None:
    totals = begun()
    totals.observe("n:p", Backend(servers={"w1": worker(10), "w2": worker(20)}))
    totals.observe("n:q", Backend(servers={"w1": worker(30)}))
    totals.keep_workers("n/p", ["w2", "w3"])
    totals.keep_workers("n/none", [])
    assert [totals.requests("n/p", name) for name in ("w1", "w2", "w3")] == [0, 20, 0]
    assert totals.requests("n/q", "w1") == 30
    totals.observe("n:p", Backend(servers={"w1": worker(11), "w2": worker(21)}))  # its server is still there
    assert [totals.requests("n/p", name) for name in ("w1", "w2")] == [1, 21]


def test_a_pool_that_is_gone_is_forgotten_and_one_that_comes_under_its_name_counts_from_zero() -> None:
    totals = begun()
    for backend in ("n:p", "n:p:cookie"):
        totals.observe(backend, Backend(refused=2, servers={"w1": worker(10)}))
    totals.forget_pool("n/p")
    totals.forget_pool("n/none")
    assert (totals.requests("n/p", "w1"), totals.rejected("n/p")) == (0, 0)
    for backend in ("n:p", "n:p:cookie"):
        totals.observe(backend, Backend(refused=3, servers={"w2": worker(1)}))
    assert (totals.requests("n/p", "w2"), totals.rejected("n/p")) == (2, 6)
