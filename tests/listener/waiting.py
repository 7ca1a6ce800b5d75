"""Waiting for a condition with a deadline: the only way in which these tests let time pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.01
PATIENCE = 15.0


async def until(check: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """What `check` says once it is true. Raises `AssertionError` at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
        await asyncio.sleep(PAUSE)
    return found


async def until_async(check: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE) -> T:
    deadline = time.monotonic() + seconds
    while not (found := await check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
        await asyncio.sleep(PAUSE)
    return found


def until_now(check: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """For fixtures, which are not asynchronous."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
        time.sleep(PAUSE)
    return found
