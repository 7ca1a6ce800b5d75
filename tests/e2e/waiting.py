"""Waiting for a condition by a deadline. Nothing in these tests waits for time to pass as such.

What was seen last is part of the complaint, so that a failure tells what was there instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.1


def until(condition: Callable[[], T | None], what: str, *, seconds: float, seen: Callable[[], object] = str) -> T:
    """The first value that is true. `seen` explains what was there when it never came."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; {seen()}")
        time.sleep(PAUSE)
    return value
