"""What does not work: said when it changes, tried again with growing pauses."""

from __future__ import annotations

import math

import pytest

from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.troubles import FIRST, LONGEST, Troubles


def test_the_same_words_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for words in ("bad", "bad", "worse", "bad"):
        troubles.happened("pool n/p", HAProxyError(words), 0.0)
    assert [record.getMessage() for record in caplog.records] == ["pool n/p: bad", "pool n/p: worse", "pool n/p: bad"]


def test_pauses_grow_to_the_longest() -> None:
    troubles, pauses = Troubles(), []
    for _ in range(10):
        troubles.happened("pool n/p", HAProxyError("bad"), 0.0)
        pauses.append(troubles.pause(0.0))
    assert pauses[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert pauses[-1] == LONGEST


def test_each_is_due_once_and_what_is_over_is_not_due() -> None:
    troubles = Troubles()
    troubles.happened("pool n/p", HAProxyError("bad"), 0.0)
    troubles.happened("site n/s", HAProxyError("bad"), 0.0)
    troubles.over("site n/s")
    troubles.over("site n/unknown")
    assert troubles.due(FIRST / 2) == []
    assert troubles.due(FIRST) == ["pool n/p"]
    assert troubles.due(FIRST) == []
    assert troubles.pause(0.0) == math.inf
