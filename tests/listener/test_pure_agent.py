"""The agent's decisions, without I/O: what to tell HAProxy, the gate and the operator, and when."""

from __future__ import annotations

import math
from argparse import ArgumentParser
from pathlib import Path

import pytest

from webgarden_link import Change, Pool, PoolState, Site, Table, Worker, WorkerState
from webgarden_listener import state
from webgarden_listener.counters import Totals
from webgarden_listener.gate.views import Hand
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.reloading import Reloads
from webgarden_listener.reports import Outgoing, Sight, report
from webgarden_listener.servers import commands, needs_worker, view, wishes
from webgarden_listener.settings import Port, SettingsError, Timing, add_arguments, settings
from webgarden_listener.table import Routing, changed, endpoint, refused, routing

WORKER = Worker(name="w1", address="10.0.0.1", port=80, limit=5)
IDLE = Hand("n/p")
GATE = Server("unix", 1, "no check", 0, 0, 0, 0)


def server(
    status: str = "UP", *, limit: int = 5, in_flight: int = 0, requests: int = 0, address: str = "10.0.0.1:80"
) -> Server:
    return Server(address, limit, status, in_flight, 0, requests, 0)


def pool(*workers: Worker, stopped: bool = False) -> Pool:
    return Pool(key="n/p", workers=workers, state=PoolState.STOPPED if stopped else PoolState.STARTED, reason="Off")


def told(
    known: Pool, *, gate: Server = GATE, hand: Hand = IDLE, queued: int = 0, answers: bool = True, **found: Server
) -> list[str]:
    running = Backend(queued=queued, gate=gate, servers=found)
    wanted = wishes(known, {endpoint(one) for one in known.workers} if answers else (), hand)
    return commands(known, running, wanted, hand)


def draining(worker: Worker = WORKER) -> Worker:
    return worker.model_copy(update={"draining": True})


def test_nothing_is_done_when_all_is_as_it_should_be() -> None:
    assert told(pool(WORKER), w1=server()) == []


def test_a_worker_that_answers_is_added_and_one_that_does_not_is_not() -> None:
    add, health, ready = told(pool(WORKER))
    assert add.startswith("add server n:p/w1 10.0.0.1:80 maxconn 5 check ")
    assert (health, ready) == ("enable health n:p/w1", "set server n:p/w1 state ready")
    assert told(pool(WORKER), answers=False) == []


def test_a_worker_drains_and_comes_back() -> None:
    assert told(pool(draining()), w1=server()) == ["set server n:p/w1 state drain", "set maxconn server n:p/_gate 1"]
    assert told(pool(draining()), w1=server("DRAIN")) == []
    assert told(pool(WORKER), w1=server("DRAIN")) == ["enable health n:p/w1", "set server n:p/w1 state ready"]


def test_the_gate_is_not_told_while_another_worker_serves() -> None:
    second = WORKER.model_copy(update={"name": "w2"})
    assert told(pool(draining(), second), w1=server(), w2=server()) == ["set server n:p/w1 state drain"]


def test_a_worker_that_left_the_table_is_cut_off_and_deleted_when_it_is_empty() -> None:
    assert told(pool(), w1=server(in_flight=1)) == [
        "set server n:p/w1 state maint",
        "shutdown sessions server n:p/w1",
        "set maxconn server n:p/_gate 1",
    ]
    assert told(pool(), w1=server("MAINT")) == ["del server n:p/w1", "set maxconn server n:p/_gate 1"]


def test_another_address_is_another_worker() -> None:
    assert told(pool(WORKER), w1=server(address="10.0.0.9:80"))[0] == "set server n:p/w1 state maint"


def test_a_changed_limit_is_set() -> None:
    assert told(pool(WORKER), w1=server(limit=9)) == ["set maxconn server n:p/w1 5"]


def test_what_the_gate_carries_counts_against_the_limit_and_keeps_it_a_slot() -> None:
    hand = Hand("n/p", spliced={"w1": 2})
    assert told(pool(WORKER), hand=hand, w1=server()) == [
        "set maxconn server n:p/w1 3",
        "set maxconn server n:p/_gate 3",
    ]
    full = Hand("n/p", spliced={"w1": 5})
    assert told(pool(WORKER), hand=full, w1=server())[0] == "set server n:p/w1 state drain"
    assert not any(line.startswith("add") for line in told(pool(WORKER), hand=full))


def test_what_older_processes_have_counts_against_the_limit() -> None:
    def limit(old: Backend, worker: Worker = WORKER) -> int:
        return wishes(pool(worker), {endpoint(worker)}, IDLE, (old, Backend()))["w1"].limit

    assert limit(Backend(servers={"w1": server(in_flight=2)})) == 3
    assert limit(Backend(queued=1, servers={"w1": server(in_flight=2)})) == 2
    assert limit(Backend(queued=9, servers={"w1": server(in_flight=2, limit=3)})) == 2
    assert limit(Backend(queued=9, servers={"w1": server(in_flight=2, address="10.0.0.9:80")})) == 5
    assert limit(Backend(queued=9, servers={"w1": server("DRAIN", in_flight=2)})) == 3


def test_a_worker_that_older_processes_fill_is_not_used_and_no_other_is_needed() -> None:
    known, old = pool(WORKER), Backend(servers={"w1": server(in_flight=5)})
    wanted = wishes(known, {endpoint(WORKER)}, IDLE, (old,))
    assert commands(known, Backend(gate=GATE, servers={"w1": server()}), wanted, IDLE)[0].endswith("w1 state drain")
    full = Backend(queued=1, gate=GATE)
    assert not needs_worker(known, full, wanted, IDLE)
    assert view(known, full, wanted).workers[0].room == 0
    assert state_of(known, Sight(full, full, (old,), IDLE)) is WorkerState.SERVING


def test_a_place_is_kept_for_a_request_that_the_gate_will_carry() -> None:
    assert "maxconn 4" in told(pool(WORKER), hand=Hand("n/p", waiting=1))[0]


def test_those_whom_haproxy_overlooks_are_brought_to_the_gate() -> None:
    assert told(pool(), queued=3) == ["set maxconn server n:p/_gate 1"]
    assert told(pool(WORKER), queued=3, w1=server(in_flight=5)) == []


def test_haproxy_gets_no_place_that_the_gate_may_still_have() -> None:
    def told_while_waiting(*workers: Worker, **found: Server) -> list[str]:
        known = pool(*workers)
        wanted = wishes(known, {endpoint(one) for one in workers}, IDLE)
        return commands(known, Backend(gate=GATE, servers=found), wanted, IDLE, granting=False)

    assert told_while_waiting(WORKER) == []
    assert told_while_waiting(WORKER, w1=server("DRAIN")) == []
    assert told_while_waiting(WORKER, w1=server(limit=3)) == []
    assert told_while_waiting(WORKER, w1=server(limit=9)) == ["set maxconn server n:p/w1 5"]
    assert told_while_waiting(draining(), w1=server())[0] == "set server n:p/w1 state drain"


def test_those_whom_haproxy_overlooks_are_brought_to_a_worker_with_room() -> None:
    assert told(pool(WORKER), queued=3, w1=server(in_flight=4)) == ["set maxconn server n:p/w1 5"]


def test_a_stopped_pool_throws_out_those_who_wait_once_its_workers_drain() -> None:
    assert told(pool(WORKER, stopped=True), w1=server())[:2] == [
        "set server n:p/w1 state drain",
        "set server n:p/_gate state maint",
    ]
    shut = Server("unix", 1, "MAINT", 0, 0, 0, 0)
    assert told(pool(WORKER), gate=shut, w1=server()) == ["set server n:p/_gate state ready"]


def test_the_gate_has_the_room_in_a_worker_that_haproxy_does_not_have() -> None:
    def room(known: Pool, hand: Hand = IDLE, **found: Server) -> int:
        return view(known, Backend(servers=found), wishes(known, {endpoint(WORKER)}, hand)).workers[0].room

    waiting = Hand("n/p", waiting=1)
    assert room(pool(WORKER), waiting) == 1
    assert room(pool(WORKER), waiting, w1=server()) == 0  # HAProxy has it until its limit is lowered
    assert room(pool(WORKER), waiting, w1=server(limit=4)) == 1
    assert room(pool(WORKER), waiting, w1=server(limit=4, in_flight=5)) == 0  # from before its limit was lowered
    assert room(pool(WORKER), waiting, w1=server("DRAIN", in_flight=5)) == 0
    assert room(pool(WORKER), waiting, w1=server(address="10.0.0.9:80")) == 1
    assert room(pool(WORKER), waiting, w1=server("DOWN")) == 0
    assert room(pool(draining()), waiting) == 0
    assert room(pool(WORKER)) == 0  # nobody waits there, and HAProxy is about to get all places
    assert room(pool(WORKER), Hand("n/p", spliced={"w1": 2}), w1=server(limit=3)) == 2
    alone = WORKER.model_copy(update={"limit": 1})
    assert room(pool(alone), waiting) == 1
    assert room(pool(alone), waiting, w1=server("DRAIN", in_flight=1)) == 0


def test_a_worker_is_needed_when_somebody_waits_and_nobody_serves() -> None:
    waiting = Hand("n/p", waiting=1)
    assert needs_worker(pool(), Backend(), {}, waiting)
    assert needs_worker(pool(), Backend(queued=1), {}, IDLE)
    assert not needs_worker(pool(), Backend(), {}, IDLE)
    assert not needs_worker(pool(WORKER), Backend(servers={"w1": server()}), {}, waiting)
    assert not needs_worker(pool(stopped=True), Backend(), {}, waiting)

    def needed(known: Pool, **found: Server) -> bool:
        return needs_worker(known, Backend(servers=found), wishes(known, {endpoint(WORKER)}, waiting), waiting)

    assert not needed(pool(WORKER))  # it answers, and is about to be used
    assert not needed(pool(WORKER), w1=server("DRAIN", in_flight=5))
    assert needed(pool(WORKER), w1=server("DOWN"))
    assert needed(pool(draining()), w1=server("DRAIN"))


def test_totals_go_on_over_a_new_process_a_new_server_and_a_new_gate() -> None:
    totals = Totals()

    def seen(pid: int, count: int, *, refused: int = 0, failed: int = 0, stopped: bool = False) -> None:
        found = Backend(refused=refused, failed=failed, servers={"w1": server(requests=count)})
        totals.observe(pid, "n/p", found, stopped=stopped)

    seen(1, 10)
    seen(1, 15, refused=2, failed=1)
    seen(2, 3)
    seen(1, 16, refused=2, failed=1)
    seen(2, 1)  # removed and added again
    totals.observe_gate(Hand("n/p", requests={"w1": 2}, rejected=1, boot="a"))
    totals.observe_gate(Hand("n/p", requests={"w1": 2}, rejected=1, boot="a"))
    totals.observe_gate(Hand("n/p", requests={"w1": 1}, boot="b"))
    assert totals.requests("n/p", "w1") == 16 + 3 + 1 + 2 + 1
    assert totals.rejected("n/p") == 4
    seen(1, 16, refused=2, failed=9, stopped=True)
    assert totals.rejected("n/p") == 4


def test_totals_are_on_disk_and_go_on(tmp_path: Path) -> None:
    def seen(totals: Totals, life: str, count: int) -> None:
        totals.present(life, (1,))
        totals.observe(1, "n/p", Backend(refused=count, servers={"w1": server(requests=count)}), stopped=False)

    def successor(totals: Totals) -> Totals:
        state.save_counted(tmp_path / "counted.json", totals.counted)
        return Totals(state.load_counted(tmp_path / "counted.json"))

    first = Totals(state.load_counted(tmp_path / "counted.json"))
    seen(first, "a", 10)
    first.observe_gate(Hand("n/p", requests={"w1": 2}, rejected=1, boot="g"))
    second = successor(first)
    seen(second, "a", 13)
    second.observe_gate(Hand("n/p", requests={"w1": 3}, rejected=1, boot="g"))
    third = successor(second)
    seen(third, "b", 14)  # another HAProxy, whose process has the same pid
    assert (third.requests("n/p", "w1"), third.rejected("n/p")) == (13 + 3 + 14, 13 + 1 + 14)
    assert first.boot == third.boot != Totals().boot
    (tmp_path / "counted.json").write_text("{")
    assert state.load_counted(tmp_path / "counted.json") is None


def state_of(known: Pool, sight: Sight) -> WorkerState:
    return report(known, sight, Totals(), 1).workers[0].state


def test_a_worker_is_drained_only_when_nobody_can_send_it_anything() -> None:
    leaving, shut = pool(draining()), Backend(servers={"w1": server("DRAIN")})
    running = Backend(servers={"w1": server("DRAIN", in_flight=1)})
    still_open = Backend(servers={"w1": server()})
    older = Backend(queued=1, servers={"w1": server()})
    assert state_of(leaving, Sight(shut, shut, (), IDLE)) is WorkerState.DRAINED
    assert state_of(leaving, Sight(Backend(), Backend(), (), IDLE)) is WorkerState.DRAINED
    for sight in (
        Sight(running, shut, (), IDLE),
        Sight(shut, still_open, (), IDLE),
        Sight(still_open, shut, (), IDLE),
        Sight(shut, shut, (running,), IDLE),
        Sight(shut, shut, (older,), IDLE),
        Sight(shut, shut, (), Hand("n/p", spliced={"w1": 1})),
        Sight(shut, shut, (), None),
    ):
        assert state_of(leaving, sight) is WorkerState.DRAINING


def test_a_worker_serves_when_haproxy_says_so() -> None:
    assert state_of(pool(WORKER), Sight(Backend(servers={"w1": server()}), Backend(), (), IDLE)) is WorkerState.SERVING
    assert state_of(pool(WORKER), Sight(Backend(), Backend(), (), IDLE)) is WorkerState.WAITING
    down = Backend(servers={"w1": server("DOWN")})
    assert state_of(pool(WORKER), Sight(down, down, (), IDLE)) is WorkerState.WAITING


def test_a_new_state_is_told_at_once_and_numbers_after_a_while() -> None:
    outgoing, known = Outgoing(), pool(WORKER)

    def due(count: int, status: str, now: float) -> bool:
        current = Backend(queued=count, servers={"w1": server(status)})
        return outgoing.due(report(known, Sight(current, current, (), IDLE), Totals(), 1), now)

    assert due(0, "UP", 0.0)
    assert not due(0, "UP", 9.0)
    assert due(1, "UP", 9.0)
    assert not due(2, "UP", 9.1)
    assert due(2, "DOWN", 9.1)
    outgoing.begin()
    assert due(2, "DOWN", 9.2)


def test_reloads_are_collected_wait_for_the_gate_and_are_not_repeated_in_vain() -> None:
    reloads = Reloads(Timing())
    assert reloads.due(0.0, holding=False, old=0) == math.inf
    reloads.changed(0.0)
    reloads.want(0.0)
    assert reloads.due(0.0, holding=False, old=0) == pytest.approx(0.1)
    reloads.changed(0.95)
    assert reloads.due(0.95, holding=False, old=0) == pytest.approx(0.05)
    assert reloads.due(1.0, holding=True, old=0) == pytest.approx(9.0)
    reloads.refuse("no")
    assert (reloads.refused, reloads.due(2.0, holding=False, old=0)) == ("no", math.inf)
    reloads.changed(3.0)
    assert reloads.refused == ""


def test_the_more_processes_still_finish_the_less_often_comes_a_reload() -> None:
    reloads = Reloads(Timing())
    reloads.done(10.0)
    reloads.changed(10.0)
    reloads.want(10.0)
    assert reloads.due(10.2, holding=False, old=0) == 0
    assert reloads.due(10.2, holding=False, old=8) == pytest.approx(1.8)


def test_a_change_removes_first_and_then_adds() -> None:
    before = routing(
        Table(version=1, pools=(pool(), Pool(key="n/q")), sites=(Site(key="n/s", bindings=(), applications=()),))
    )
    after = changed(before, Change(version=2, pools=(pool(WORKER),), removed_pools=("n/q",), removed_sites=("n/s",)))
    assert after == Routing(2, {"n/p": pool(WORKER)}, {})


def test_what_is_no_name_is_left_out_and_named() -> None:
    bad = WORKER.model_copy(update={"name": "w 2"})
    nowhere = tuple(WORKER.model_copy(update={"address": text}) for text in ("x;y", "1.2", ":::", "fe80::1%a b"))
    found = routing(Table(version=1, pools=(pool(WORKER, bad, *nowhere), Pool(key="no key"))))
    assert found.pools["n/p"].workers == (WORKER,)
    assert len(refused((pool(WORKER, bad, *nowhere), Pool(key="no key")), ())) == 6


def test_a_number_that_haproxy_could_not_read_is_made_one_that_it_can() -> None:
    mad = Pool(key="n/p", queue_limit=10**30, queue_timeout=-1, retry_after=-(10**30))
    found = routing(Table(version=1, pools=(mad,))).pools["n/p"]
    assert (found.queue_limit, found.queue_timeout, found.retry_after) == (2**31 - 1, 1, 0)


def test_a_table_is_on_disk_as_it_was(tmp_path: Path) -> None:
    known = routing(Table(version=7, pools=(pool(WORKER),)))
    state.save(tmp_path / "state.json", known)
    assert state.load(tmp_path / "state.json") == known
    assert state.load(tmp_path / "none.json") is None


def test_settings_come_from_arguments_and_environment() -> None:
    parser = ArgumentParser()
    add_arguments(parser, {"WEBGARDEN_PORTS": "80:8080, 81", "WEBGARDEN_TOKEN_FILE": "/t"})
    made = settings(parser.parse_args(["--threads", "4"]))
    assert made.haproxy.ports == (Port(80, 8080), Port(81, 81))
    assert (made.haproxy.threads, made.link.token, made.link.ca) == (4, Path("/t"), None)


@pytest.mark.parametrize("ports", ["", "x", "80:y"])
def test_ports_that_make_no_sense_are_refused(ports: str) -> None:
    parser = ArgumentParser()
    add_arguments(parser, {})
    with pytest.raises(SettingsError):
        settings(parser.parse_args(["--ports", ports]))
