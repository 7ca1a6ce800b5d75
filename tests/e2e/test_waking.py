"""A pool that sleeps is woken by its first request, and sleeps again when nobody asks: A5, A7, A9, A12, A14 and modes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from tests.e2e.asking import Answer, at_once, outcomes
from tests.e2e.tenant import Pool, Tenant


def test_the_first_request_wakes_a_sleeping_pool(tenant: Tenant) -> None:
    pool = tenant.garden()
    assert not tenant.pods(), "a pool that nobody has asked has no worker"
    answer = pool.ask()
    print(f"first answer: {answer}")
    assert (answer.status, answer.body) == (200, b"hello\n")
    pool.running(1)
    pool.until(lambda: tenant.events("WorkerStarted"), "an Event of it")


def test_a_hundred_requests_at_once_wake_a_garden_of_ten_and_are_all_served(tenant: Tenant) -> None:
    pool = tenant.garden(worker={"maxConcurrentRequests": 1}, model={"maxProcesses": 10})
    answers = at_once(100, pool.place, pool.host, "/sleep?s=0.2", patience=120)
    counts = outcomes(answers, patience=120)
    workers = {f.result().body for f in answers}
    slowest = max(f.result().seconds for f in answers)
    print(f"{counts}, by {len(workers)} workers, the last after {slowest:.1f} s")
    assert counts == {"200": 100}


def test_a_worker_with_nothing_to_do_leaves_long_before_its_shutdown_limit(tenant: Tenant) -> None:
    pool = tenant.garden(model={"shutdownTimeLimit": "90s"}, startMode="AlwaysRunning")
    pool.running(1)
    began = time.monotonic()
    pool.change({"state": "Stopped"})
    pool.asleep(seconds=60)
    print(f"gone {time.monotonic() - began:.1f} s after the pool was stopped")
    assert time.monotonic() - began < 45, "it waited for its limit"


IDLE = 3.0
SLOTS = 24
GARDENS = 4


def test_a_request_in_every_slot_around_an_idle_stop_is_served(tenant: Tenant) -> None:
    gardens = [tenant.garden(f"garden-{n}", model={"idleTimeout": f"{IDLE:g}s"}) for n in range(GARDENS)]
    with ThreadPoolExecutor(GARDENS) as threads:
        found = list(threads.map(_ask_in_slots, gardens, range(GARDENS)))
    answers = [answer for answers, _ in found for answer in answers]
    print(f"{len(answers)} answers, {sum(stops for _, stops in found)} of them by a new worker")
    assert [str(a) for a in answers if a.status != 200] == []
    assert 0 < sum(stops for _, stops in found) < SLOTS, "no slot was before, or none after the stop"


def _ask_in_slots(pool: Pool, first: int) -> tuple[list[Answer], int]:
    """Ask in every `GARDENS`th slot of 100 ms; how often another process answered."""
    answers = [pool.ask("/process")]
    for slot in range(first, SLOTS, GARDENS):
        time.sleep(IDLE - 0.5 + 0.1 * slot)  # the pause itself is what is tried here
        answers.append(pool.ask("/process"))
    processes = [answer.body for answer in answers]
    return answers, sum(a != b for a, b in pairwise(processes))
