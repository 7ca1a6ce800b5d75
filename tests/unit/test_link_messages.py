"""The messages on the wire: whole after a round trip, lenient about fields, strict about kinds."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

import webgarden_link as link

WORKER = link.Worker(name="w", address="10.0.0.1", port=8080, limit=50, draining=True)
POOL = link.Pool(key="a/shop", state=link.PoolState.STOPPED, reason="Disabled", retry_after=3, workers=(WORKER,))
SITE = link.Site(
    key="a/shop",
    bindings=(link.Binding(port=80, host="*.shop.test"),),
    applications=(link.Application(path="/api", pool="a/shop"),),
)
REPORT = link.WorkerReport(name="w", state=link.WorkerState.DRAINED, in_flight=2, requests=17)
EVERY: list[link.Message] = [
    link.Hello(listener="l", boot="b"),
    link.Refusal(reason="no"),
    link.Table(version=1, pools=(POOL,), sites=(SITE,)),
    link.Change(version=2, pools=(POOL,), sites=(SITE,), removed_pools=("a/x",), removed_sites=("a/y",)),
    link.Applied(version=3),
    link.Failed(version=4, error="maps"),
    link.Demand(pool="a/shop"),
    link.Report(pool="a/shop", version=5, queued=6, rejected=7, workers=(REPORT,)),
]


@pytest.mark.parametrize("message", EVERY, ids=lambda m: m.kind)
def test_a_message_is_whole_after_a_round_trip(message: link.Message) -> None:
    assert link.decode(link.encode(message)) == message
    assert link.decode(link.encode(message).encode()) == message
    assert json.loads(link.encode(message))["kind"] == type(message).__name__


def test_every_kind_has_been_tried() -> None:
    assert {type(message) for message in EVERY} == set(link.Message.__args__)


def test_fields_of_a_newer_peer_are_ignored() -> None:
    assert link.decode('{"kind": "Applied", "version": 1, "mood": {"good": true}}') == link.Applied(version=1)
    report = '{"kind": "Report", "pool": "a/b", "version": 1, "workers": [{"name": "w", "state": "Serving", "x": 1}]}'
    assert link.decode(report) == link.Report(
        pool="a/b", version=1, workers=(link.WorkerReport(name="w", state=link.WorkerState.SERVING),)
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"kind": "Gossip"}', "Gossip"),
        ("{}", "kind"),
        ("[]", "not a message of the link"),
        ("no json", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        ('{"kind": "Applied"}', "Applied.version"),
        ('{"kind": "Applied", "version": "many"}', "Applied.version"),
        (
            '{"kind": "Report", "pool": "p", "version": 1, "workers": [{"name": "w", "state": "Odd"}]}',
            "workers.0.state",
        ),
    ],
)
def test_what_is_no_message_is_refused_in_words(text: str | bytes, told: str) -> None:
    with pytest.raises(link.LinkError, match="not a message of the link") as refused:
        link.decode(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        POOL.key = "other"  # type: ignore[misc]
