"""Resources that this release cannot read: what is said of them, and what stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from webgarden.api.pool import ApplicationPool
from webgarden.reconcile import invalid
from webgarden.reconcile.ports import Body, Key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def body(status: Body | None = None, **spec: Any) -> Body:  # noqa: ANN401
    metadata = {"name": "shop", "namespace": "ns", "uid": "u", "generation": 3}
    return {"kind": "ApplicationPool", "metadata": metadata, "spec": spec, "status": status or {}}


class Written:
    """A writer that keeps the last status."""

    def __init__(self) -> None:
        self.statuses: list[Body] = []

    async def get(self, key: Key) -> Body | None:
        raise AssertionError(key)

    async def apply(self, manifest: Body) -> Body:
        raise AssertionError(manifest)

    async def create(self, manifest: Body) -> Body | None:
        raise AssertionError(manifest)

    async def patch(self, key: Key, patch: Body) -> Body | None:
        raise AssertionError(key, patch)

    async def write_status(self, body: Body, status: Body) -> None:
        self.statuses.append(status)

    async def delete(self, key: Key, *, uid: str, grace_seconds: int | None = None) -> None:
        raise AssertionError(key)


async def said(status: Body, *, now: datetime = NOW) -> list[Body]:
    writer, unreadable = Written(), body(status, startMode="WhenItRains")
    with pytest.raises(ValidationError) as caught:
        ApplicationPool.model_validate(unreadable)
    await invalid.say(writer, unreadable, caught.value, now)
    return writer.statuses


async def test_a_spec_that_cannot_be_read_is_said_even_of_a_generation_that_was_read_before() -> None:
    (status,) = await said({"observedGeneration": 3, "recycles": 17})
    assert {c["type"]: c["reason"] for c in status["conditions"]} == {"Ready": "InvalidSpec", "Accepted": "InvalidSpec"}
    assert "spec.startMode" in status["conditions"][0]["message"]
    assert status["recycles"] == 17


async def test_it_is_said_once() -> None:
    (status,) = await said({})
    assert await said(status, now=NOW + timedelta(hours=1)) == []


def test_a_status_of_a_newer_release_does_not_make_a_pool_unreadable() -> None:
    worker = {"name": "a", "state": "Levitating"}
    pool = ApplicationPool.model_validate(body({"recycles": 17, "workers": [worker]}, queueLength=20))
    assert pool.spec.queue_length == 20
    assert pool.status.workers == ()
