"""The decision about one pool, in virtual time: what users expect of each feature, on a played cluster."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.cluster_play import START, VIEW, Play, warm

from webgarden.policy import Failure, Leaving, Reason, Recycled, Worker, decide, held_up

MINUTE = timedelta(minutes=1)


# Demand start and web garden


def test_a_pool_without_demand_sleeps() -> None:
    play = Play()
    play.run(60)
    assert play.pods == []
    assert play.revisions["one"].replicas == 0


def test_the_first_request_starts_one_worker_even_of_a_garden() -> None:
    play = Play()
    play.set(max_processes=5)
    play.demand, play.queued = True, 50
    play.step()
    assert play.revisions["one"].replicas == 1


def test_always_running_starts_all_workers_without_a_request() -> None:
    play = Play()
    play.set(always_running=True, max_processes=3)
    play.run(3)
    assert len(play.serving) == 3


def test_a_garden_grows_while_requests_wait_up_to_its_size() -> None:
    play = warm(concurrency=1)
    play.set(max_processes=10)
    play.queued = 99
    play.step()
    assert play.revisions["one"].replicas == 10


def test_a_garden_grows_when_every_worker_is_busy() -> None:
    play = warm(concurrency=2)
    play.set(max_processes=4)
    play.pods[0].in_flight = 2
    play.step()
    assert play.revisions["one"].replicas == 2


def test_a_garden_does_not_grow_while_a_worker_is_still_starting() -> None:
    play = warm(concurrency=1)
    play.set(max_processes=10)
    play.start = MINUTE
    play.queued = 1
    play.step()
    play.queued = 50
    play.run(30)
    assert play.revisions["one"].replicas == 2


# Idle stop


def test_an_idle_worker_leaves_after_its_time_and_not_before() -> None:
    play = warm(idle_timeout=5 * MINUTE)
    play.run(4 * 60)
    assert len(play.serving) == 1
    play.run(70)
    assert play.pods == []
    assert play.revisions["one"].wanted == 0


def test_a_running_request_is_activity_however_long() -> None:
    play = warm(idle_timeout=MINUTE)
    play.pods[0].in_flight = 1
    play.run(600)
    assert len(play.serving) == 1


def test_zero_never_idles_out() -> None:
    play = warm(idle_timeout=timedelta())
    play.run(3600, step=60)
    assert len(play.serving) == 1


def test_always_running_never_idles_out() -> None:
    play = warm(always_running=True, idle_timeout=MINUTE)
    play.run(600, step=5)
    assert len(play.serving) == 1


def test_each_idle_worker_of_a_garden_leaves_by_itself() -> None:
    play = warm(max_processes=3, idle_timeout=MINUTE, concurrency=1)
    for _ in range(300):
        play.pods[0].last_activity = play.now
        play.step()
        play.now += timedelta(seconds=1)
    assert [p.name for p in play.serving] == ["pool-one-1"]
    assert play.revisions["one"].replicas == 1


def test_a_request_while_draining_gets_the_worker_back() -> None:
    play = warm(idle_timeout=MINUTE)
    worker = play.pods[0]
    play.now += 2 * MINUTE
    first = decide(play.look(), play.now)
    assert first.drained == {worker.name}
    worker.draining_since, play.demand = play.now, True
    again = decide(play.look(), play.now)
    assert again.drained == frozenset()
    assert again.replicas == {"one": 1}


def test_an_unreachable_listener_blocks_an_idle_stop() -> None:
    play = warm(idle_timeout=MINUTE)
    play.set(listeners_complete=False)
    play.run(600, step=5)
    assert len(play.serving) == 1


def test_an_idle_stop_that_was_decided_is_finished_and_a_later_request_starts_anew() -> None:
    play = warm(idle_timeout=MINUTE)
    play.now += 2 * MINUTE
    play.step()
    play.step()
    assert play.pods[0].leaving is not None
    play.demand = True
    play.run(5)
    assert [p.name for p in play.serving] == ["pool-one-2"]


# Recycling


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_recycle_replaces_every_worker_one_at_a_time_and_never_serves_with_fewer(size: int) -> None:
    play = warm(max_processes=size)
    old = {p.name for p in play.pods}
    play.set(recycle_before=play.now)
    play.run(60)
    assert {p.name for p in play.serving}.isdisjoint(old)
    assert len(play.serving) == size
    assert play.least_serving >= size
    assert play.most <= size + 2  # one new, one old, one that is being deleted
    assert len(play.recycles) == size


def test_only_the_named_worker_is_recycled() -> None:
    play = warm(max_processes=3)
    keep = {p.name for p in play.pods[1:]}
    play.set(recycle_before=play.now, recycle_worker=play.pods[0].name)
    play.run(60)
    assert keep <= {p.name for p in play.serving}
    assert len(play.recycles) == 1


def test_a_long_request_finishes_on_the_old_worker() -> None:
    play = warm()
    old = play.pods[0]
    old.in_flight = 1
    play.set(recycle_before=play.now)
    play.run(35)
    assert old in play.alive
    old.in_flight = 0
    play.run(5)
    assert old not in play.alive
    assert play.failed(Reason.SHUTDOWN_TIME_LIMIT) == 0


def test_past_the_shutdown_limit_what_is_left_is_cut_and_counted_once() -> None:
    play = warm(shutdown_time_limit=10 * timedelta(seconds=1))
    play.pods[0].in_flight = 3
    play.set(recycle_before=play.now)
    play.run(40)
    assert play.failed(Reason.SHUTDOWN_TIME_LIMIT) == 1
    assert "3 requests" in play.failures[0].message
    assert len(play.recycles) == 1


def test_without_overlap_the_old_worker_is_gone_before_the_new_one_is_made() -> None:
    play = warm(overlap=False)
    play.set(recycle_before=play.now)
    play.run(30)
    assert [p.name for p in play.serving] == ["pool-one-2"]
    assert play.most == 1
    assert len(play.recycles) == 1


def test_without_overlap_a_garden_never_has_more_workers_than_its_size() -> None:
    play = warm(overlap=False, max_processes=3)
    play.set(recycle_before=play.now)
    play.run(120)
    assert play.most == 3
    assert len(play.recycles) == 3
    assert len(play.serving) == 3


def test_a_replacement_that_never_comes_up_leaves_the_old_worker_serving() -> None:
    play = warm(startup_time_limit=10 * timedelta(seconds=1))
    play.broken.add("one")
    play.set(recycle_before=play.now)
    play.run(60)
    assert [p.name for p in play.serving] == ["pool-one-1"]
    assert play.pods == play.serving
    assert play.revisions["one"].wanted == 1
    assert [r.failed for r in play.recycles] == ["it did not answer on its port"]
    assert play.failed(Reason.STARTUP_TIME_LIMIT) == 1


def test_an_operator_that_dies_between_taking_out_and_draining_goes_on() -> None:
    play = warm()
    play.set(recycle_before=play.now)
    play.step()
    play.set(begun=play.now, recycle_before=None)  # the new one has not read the annotation's time yet
    play.run(20)
    assert [p.name for p in play.serving] == ["pool-one-2"]


def test_a_sleeping_pool_has_nothing_to_recycle() -> None:
    play = Play()
    play.set(recycle_before=START + MINUTE)
    play.run(30)
    assert play.pods == []
    assert play.recycles == []


# Configuration change


@pytest.mark.parametrize("size", [1, 3])
def test_a_new_template_moves_workers_one_by_one_and_never_serves_with_fewer(size: int) -> None:
    play = warm(max_processes=size)
    play.set(revision="two")
    play.run(120)
    assert {p.revision for p in play.pods} == {"two"}
    assert len(play.serving) == size
    assert play.least_serving >= size
    assert set(play.revisions) == {"two"}
    assert {r.reason for r in play.recycles} == {Reason.CONFIG_CHANGE}
    assert len({r.worker for r in play.recycles}) == size


def test_a_new_template_that_does_not_come_up_leaves_the_old_workers_serving() -> None:
    play = warm(startup_time_limit=10 * timedelta(seconds=1), max_processes=2)
    play.broken.add("two")
    play.set(revision="two")
    play.run(300)
    assert [p.revision for p in play.serving] == ["one", "one"]
    assert play.least_serving == 2
    assert 2 <= play.failed(Reason.STARTUP_TIME_LIMIT) <= 10


def test_a_new_template_of_a_sleeping_pool_starts_nothing() -> None:
    play = Play()
    play.run(1)
    play.set(revision="two")
    play.run(10)
    assert play.pods == []
    assert set(play.revisions) == {"two"}


def test_going_back_to_the_template_before_keeps_its_workers() -> None:
    play = warm(max_processes=2)
    play.start = 30 * timedelta(seconds=1)
    play.set(revision="two")
    play.run(5)
    play.set(revision="one")
    play.run(120)
    assert sorted(p.name for p in play.serving) == ["pool-one-1", "pool-one-2"]


def test_a_new_template_without_overlap_never_runs_two_at_a_time() -> None:
    play = warm(overlap=False)
    play.set(revision="two")
    play.run(60)
    assert play.most == 1
    assert [p.revision for p in play.serving] == ["two"]


# Stop, start, and the size of the garden


def test_a_stopped_pool_finishes_its_requests_and_has_no_worker() -> None:
    play = warm(max_processes=2)
    play.pods[0].in_flight = 1
    play.set(started=False)
    play.run(20)
    assert [p.in_flight for p in play.alive] == [1]
    play.pods[0].in_flight = 0
    play.run(10)
    assert play.pods == []


def test_a_stopped_pool_does_not_start_on_demand() -> None:
    play = Play()
    play.set(started=False)
    play.demand, play.queued = True, 10
    play.run(10)
    assert play.pods == []


def test_a_pool_stopped_during_a_recycle_ends_both_workers() -> None:
    play = warm()
    play.set(recycle_before=play.now)
    play.run(1)
    play.set(started=False)
    play.run(20)
    assert play.pods == []


def test_a_smaller_garden_drains_the_youngest_workers() -> None:
    play = warm(max_processes=3)
    play.set(max_processes=1)
    play.run(20)
    assert [p.name for p in play.serving] == ["pool-one-1"]


# Crashes and failed starts


def test_a_crashed_worker_is_replaced_at_once_and_counted_once() -> None:
    play = warm()
    play.pods[0].crash = "exit code 1"
    play.run(5)
    assert [p.name for p in play.serving] == ["pool-one-2"]
    assert play.failed(Reason.CRASH) == 1


def test_a_worker_that_crashes_while_it_is_being_recycled_is_counted_and_its_recycle_done() -> None:
    play = warm()
    play.pods[0].in_flight = 1
    play.set(recycle_before=play.now)
    play.run(3)
    play.pods[0].crash = "exit code 1"
    play.run(5)
    assert play.failed(Reason.CRASH) == 1
    assert len(play.recycles) == 1
    assert len(play.serving) == 1


def test_a_start_that_takes_too_long_is_a_failure_and_the_pool_pauses() -> None:
    play = Play()
    play.broken.add("one")
    play.set(startup_time_limit=10 * timedelta(seconds=1))
    play.demand, play.queued = True, 5
    play.run(12)
    assert play.failed(Reason.STARTUP_TIME_LIMIT) == 1
    assert play.decision is not None and play.decision.paused_until is not None
    play.run(4)
    assert play.pods == []


def test_failed_starts_back_off_and_recover() -> None:
    play = Play()
    play.broken.add("one")
    play.set(startup_time_limit=10 * timedelta(seconds=1), always_running=True, max_processes=2)
    play.run(600)
    assert 3 <= len({f.time for f in play.failures}) <= 8
    play.broken.clear()
    play.run(320)
    assert len(play.serving) == 2


def test_nothing_is_overdue_while_no_listener_can_say_whether_it_answers() -> None:
    play = Play()
    play.listening = False
    play.set(always_running=True, startup_time_limit=10 * timedelta(seconds=1))
    play.broken.add("one")
    play.run(60)
    assert play.failures == []


def test_pods_that_cannot_even_be_created_are_a_failed_start() -> None:
    play = Play()
    play.set(startup_time_limit=10 * timedelta(seconds=1))
    play.demand = True
    play.step()
    stuck = replace(play.revisions["one"], trouble="exceeded quota")
    view = replace(play.look(), revisions=(stuck,), workers=())
    decision = decide(view, play.now + timedelta(seconds=20))
    assert [a.message for a in decision.actions if hasattr(a, "message")] == ["exceeded quota"]


def test_a_failure_of_the_template_before_does_not_delay_the_new_one() -> None:
    failure = Failure(time=START, worker="pool-old-1", kind=Reason.STARTUP_TIME_LIMIT)
    view = replace(VIEW, failures=(failure,), demand=True)
    assert decide(view, START).wanted == 1


# The shape of a decision


def test_a_worker_belongs_to_the_first_policy_that_names_it() -> None:
    worker = Worker(name="pool-one-1", revision="one", created=START, running_since=START, crash="exit code 1")
    view = replace(VIEW, started=False, workers=(worker,))
    kinds = [type(a).__name__ for a in decide(view, START).actions]
    assert kinds == ["Fail", "Discard"]


def test_the_next_look_is_when_time_alone_decides() -> None:
    play = warm(idle_timeout=5 * MINUTE)
    running_since = play.pods[0].running_since
    assert running_since is not None
    assert decide(play.look(), play.now).next_look == running_since + 5 * MINUTE


def test_recycled_is_said_with_the_reason() -> None:
    play = warm()
    name = play.pods[0].name
    play.set(recycle_before=play.now)
    play.run(20)
    assert play.recycles == [Recycled(name, Reason.ON_DEMAND)]


# What a review has found


def test_a_wish_for_a_later_time_waits_for_it() -> None:
    play = warm()
    later = play.now + MINUTE
    play.set(recycle_before=later)
    assert decide(play.look(), play.now).next_look == later
    play.run(55)
    assert play.recycles == []
    play.run(60)
    assert len(play.recycles) == 1


def test_no_recycle_begins_while_a_listener_that_is_alive_cannot_be_reached() -> None:
    play = warm()
    play.set(recycle_before=play.now, listeners_complete=False)
    play.run(300)
    assert [p.name for p in play.serving] == ["pool-one-1"]
    play.set(listeners_complete=True)
    play.run(10)
    assert len(play.recycles) == 1


def test_a_recycle_is_not_ended_by_time_while_a_listener_cannot_be_reached() -> None:
    play = warm(shutdown_time_limit=10 * timedelta(seconds=1))
    play.pods[0].in_flight = 1
    play.set(recycle_before=play.now)
    play.run(3)
    play.set(listeners_complete=False)
    play.run(100)
    assert "pool-one-1" in {p.name for p in play.alive}
    assert play.failures == []


def test_a_worker_that_answers_when_its_time_is_just_over_is_drained_and_not_cut() -> None:
    play = Play()
    play.set(startup_time_limit=10 * timedelta(seconds=1))
    play.start = 11 * timedelta(seconds=1)
    play.demand = True
    play.run(60)  # the play asserts that nothing which may have had a request is deleted
    assert len(play.serving) + len(play.failures) >= 1


def test_workers_that_were_leaving_when_the_operator_died_are_each_waited_for() -> None:
    play = warm(max_processes=2, concurrency=1)
    for pod in play.pods:
        pod.leaving = Leaving(reason=Reason.IDLE_TIMEOUT, since=play.now, replace=False)
    busy = play.pods[1]
    busy.in_flight = 3
    play.run(20)  # the play's ReplicaSet would delete the busy one if replicas were 0
    assert busy in play.alive
    busy.in_flight = 0
    play.run(20)
    assert not any(p.leaving for p in play.pods)


def test_a_recycle_whose_replacement_cannot_even_be_created_is_given_up_in_a_garden_too() -> None:
    play = warm(max_processes=2, startup_time_limit=10 * timedelta(seconds=1))
    play.quota = 2
    play.set(recycle_before=play.now)
    play.run(60)
    assert sorted(p.name for p in play.serving) == ["pool-one-1", "pool-one-2"]
    assert [bool(r.failed) for r in play.recycles] == [True]


def test_a_replacement_that_only_some_listeners_reach_does_not_take_the_old_workers_place() -> None:
    play = warm(startup_time_limit=10 * timedelta(seconds=1))
    play.half_reached.add("pool-one-2")
    play.set(recycle_before=play.now)
    play.run(60)
    assert [p.name for p in play.alive] == ["pool-one-1"]
    assert [bool(r.failed) for r in play.recycles] == [True]


def test_an_operator_that_was_away_gives_an_unmarked_worker_the_time_to_answer() -> None:
    worker = Worker(name="pool-one-1", revision="one", created=START - 10 * MINUTE, sought_since=START)
    view = replace(VIEW, workers=(worker,), always_running=True)
    assert decide(view, START + timedelta(seconds=1)).actions == ()


def test_what_a_listener_without_a_link_holds_up_is_known() -> None:
    play = warm(idle_timeout=timedelta(minutes=1), listeners_complete=False)
    assert not held_up(play.look(), play.now)
    play.now += timedelta(minutes=1)
    assert held_up(play.look(), play.now)
    assert not decide(play.look(), play.now).actions
    play.set(listeners_complete=True)
    assert not held_up(play.look(), play.now)
    play.set(idle_timeout=timedelta(), listeners_complete=False)
    assert not held_up(play.look(), play.now)
    play.set(recycle_before=play.now)
    assert held_up(play.look(), play.now)
    play.set(recycle_before=None, started=False)
    assert held_up(play.look(), play.now)  # it drains, and cannot be confirmed
