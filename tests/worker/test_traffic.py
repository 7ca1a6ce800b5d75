"""Counting requests."""

import asyncio

from webgarden_worker.traffic import Traffic


async def test_requests_are_counted_while_they_run_and_after() -> None:
    traffic = Traffic()
    with traffic.request(), traffic.request():
        assert (traffic.in_flight, traffic.served) == (2, 0)
    assert (traffic.in_flight, traffic.served) == (0, 2)


async def test_a_request_that_fails_is_no_longer_in_flight() -> None:
    traffic = Traffic()
    try:
        with traffic.request():
            raise RuntimeError
    except RuntimeError:
        assert (traffic.in_flight, traffic.served) == (0, 1)


async def test_who_waits_for_idleness_waits_for_the_last_request() -> None:
    traffic = Traffic()
    with traffic.request():
        waiting = asyncio.create_task(traffic.idle(seconds=20))
        with traffic.request():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_who_waits_for_idleness_does_not_wait_longer_than_asked() -> None:
    traffic = Traffic()
    with traffic.request():
        await traffic.idle(seconds=0)
        assert traffic.in_flight == 1
