"""File descriptors: as many clients as fit, and a word about it when these are fewer than wanted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.listener.node import SOURCES

from webgarden_listener.haproxy.descriptors import fitting, needed

PROGRAM = """
import logging, resource, sys
from webgarden_listener.haproxy.descriptors import provide
logging.basicConfig()
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(provide(int(sys.argv[3])), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize("limit", [0, 100, 1024, 4096, 65536])
def test_what_fits_is_the_most_that_fits(limit: int) -> None:
    fit = fitting(1_000_000, limit)
    assert fit == 1 or needed(fit) <= limit
    assert needed(fit + 10) > limit


def test_no_more_than_wanted() -> None:
    assert fitting(10, 1_000_000) == 10


def provided(*numbers: int) -> tuple[list[int], str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, numbers)],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()], done.stderr


def test_the_soft_limit_is_raised_and_nothing_said_when_all_fit() -> None:
    assert provided(100, 5000, 1000) == ([1000, 5000, 5000], "")


def test_when_not_all_fit_it_is_said_how_many_do_and_what_it_takes() -> None:
    numbers, said = provided(100, 1024, 10_000)
    assert numbers == [358, 1024, 1024]
    assert "limit of 1024 open files allows 358 client connections" in said
    assert "23200" in said
