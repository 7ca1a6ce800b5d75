"""The queue's promises, in the event loop's own time."""

from __future__ import annotations

import asyncio

from webgarden.workqueue import WorkQueue


def middle() -> float:
    return 0.5


async def test_a_key_waits_at_most_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 1


async def test_keys_come_out_in_the_order_in_which_they_came() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abcab":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_touched_during_its_work_is_looked_at_again_but_not_at_the_same_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"


async def test_a_failure_waits_longer_each_time_and_success_forgets_it() -> None:
    queue: WorkQueue[str] = WorkQueue(jitter=middle)
    waits = []
    for _ in range(3):
        queue.add("a")
        waits.append(queue.failed(await queue.get()))
    queue.add("a")
    queue.done(await queue.get())
    queue.add("a")
    waits.append(queue.failed(await queue.get()))
    queue.close()
    assert waits == [0.4, 0.8, 1.6, 0.4]


async def test_a_failure_never_waits_longer_than_a_minute_and_a_half() -> None:
    queue: WorkQueue[str] = WorkQueue(jitter=lambda: 1.0)
    for _ in range(20):
        queue.add("a")
        wait = queue.failed(await queue.get())
    queue.close()
    assert wait == 90.0


async def test_a_key_touched_while_it_failed_is_tried_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue(jitter=middle)
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.failed(key)
    assert len(queue) == 1
    queue.close()


async def test_the_earliest_time_of_a_key_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    now = asyncio.get_running_loop().time()
    queue.add_at("a", now + 3600)
    queue.add_at("a", now)
    async with asyncio.timeout(5):
        assert await queue.get() == "a"
    queue.close()


async def test_a_look_takes_the_timer_with_it() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_at("a", asyncio.get_running_loop().time() + 0.01)
    queue.add("a")
    queue.done(await queue.get())
    await asyncio.sleep(0.03)
    assert queue.idle


async def test_settled_waits_for_the_last_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key = await queue.get()
    waiting = asyncio.create_task(queue.settled())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(key)
    async with asyncio.timeout(5):
        await waiting
