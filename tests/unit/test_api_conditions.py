from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from webgarden.api.conditions import Condition, Finding, Truth, merge

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def ready(status: Truth, *, reason: str = "Running", generation: int | None = None) -> Finding:
    return Finding(type="Ready", status=status, reason=reason, observed_generation=generation)


def test_a_new_condition_is_dated_now() -> None:
    (condition,) = merge((), [ready(Truth.TRUE)], NOON)
    assert condition.last_transition_time == NOON
    assert condition.reason == "Running"


def test_the_time_stays_while_the_status_does() -> None:
    before = merge((), [ready(Truth.FALSE, reason="Starting")], NOON)
    (after,) = merge(before, [ready(Truth.FALSE, reason="RapidFail", generation=2)], LATER)
    assert after.last_transition_time == NOON
    assert (after.reason, after.observed_generation) == ("RapidFail", 2)


def test_the_time_moves_with_the_status() -> None:
    before = merge((), [ready(Truth.UNKNOWN)], NOON)
    (after,) = merge(before, [ready(Truth.TRUE)], LATER)
    assert after.last_transition_time == LATER


def test_the_order_is_that_of_the_findings_and_others_are_left_out() -> None:
    findings = [Finding(type=name, status=Truth.TRUE, reason="Fine") for name in ("B", "A")]
    before = merge((), [*findings, ready(Truth.TRUE)], NOON)
    assert [condition.type for condition in merge(before, findings, LATER)] == ["B", "A"]


def test_merging_what_was_merged_changes_nothing() -> None:
    once = merge((), [ready(Truth.TRUE)], NOON)
    assert merge(once, once, LATER) == once


@pytest.mark.parametrize("reason", ["", "two words", "Ends."])
def test_a_reason_is_one_word(reason: str) -> None:
    with pytest.raises(ValidationError):
        ready(Truth.TRUE, reason=reason)


def test_a_long_message_is_clipped_rather_than_refused_by_the_api() -> None:
    finding = Finding(type="Ready", status=Truth.FALSE, reason="Failed", message="x" * 40_000)
    assert len(finding.message) == 32_768
    assert finding.message.endswith("x…")


def test_a_condition_is_written_as_metav1_does() -> None:
    (condition,) = merge((), [ready(Truth.TRUE, generation=3)], NOON + timedelta(microseconds=5))
    assert condition.as_dict() == {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "message": "",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-05-01T12:00:00Z",
    }
    assert Condition.model_validate(condition.as_dict()).last_transition_time == NOON
