"""The messages on the wire: whole after a round trip, lenient about fields, strict about kinds."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

import webgarden_link as link

WORKER = link.Worker(name="w", address="10.0.0.1", port=8080, state=link.WorkerState.DRAINING)
POOL = link.Pool(
    key="a/shop", version=9, state=link.PoolState.STOPPED, reason="Disabled", retry_after=3, workers=(WORKER,)
)
SITE = link.Site(
    key="a/shop",
    version=8,
    bindings=(link.Binding(port=80, host="*.shop.test"),),
    applications=(link.Application(path="/api", pool="a/shop", affinity=link.Affinity.COOKIE),),
    requires=("affinity",),
)
WORKER_REPORT = link.WorkerReport(name="w", state=link.WorkerStatus.DRAINED, in_flight=2, requests=17)
POOL_REPORT = link.PoolReport(key="a/shop", version=5, boot="b", queued=6, rejected=7, workers=(WORKER_REPORT,))
SITE_REPORT = link.SiteReport(key="a/shop", version=5, refused="no affinity")
EVERY: list[link.Message] = [
    link.Hello(listener="l"),
    link.Refusal(reason="no"),
    link.Table(listeners=3, pools=(POOL,), sites=(SITE,)),
    link.Change(pools=(POOL,), sites=(SITE,), removed_pools=("a/x",), removed_sites=("a/y",)),
    link.Listeners(count=3),
    link.Demand(pool="a/shop"),
    link.Report(pools=(POOL_REPORT,), sites=(SITE_REPORT,)),
]


@pytest.mark.parametrize("message", EVERY, ids=lambda m: m.kind)
def test_a_message_is_whole_after_a_round_trip(message: link.Message) -> None:
    assert link.decode(link.encode(message)) == message
    assert link.decode(link.encode(message).encode()) == message
    assert json.loads(link.encode(message))["kind"] == type(message).__name__


def test_every_kind_has_been_tried() -> None:
    assert {type(message) for message in EVERY} == set(link.Message.__args__)


def test_fields_of_a_newer_peer_are_ignored() -> None:
    assert link.decode('{"kind": "Listeners", "count": 1, "mood": {"good": true}}') == link.Listeners(count=1)
    worker = '{"name": "w", "state": "Serving", "x": 1}'
    report = f'{{"kind": "Report", "pools": [{{"key": "a/b", "version": 1, "boot": "b", "workers": [{worker}]}}]}}'
    (pool,) = link.Report.model_validate(link.decode(report)).pools
    assert pool.workers == (link.WorkerReport(name="w", state=link.WorkerStatus.SERVING),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"kind": "Gossip"}', "Gossip"),
        ("{}", "kind"),
        ("[]", "not a message of the link"),
        ("no json", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        ('{"kind": "Listeners"}', "Listeners.count"),
        ('{"kind": "Listeners", "count": "many"}', "Listeners.count"),
        ('{"kind": "Report", "sites": [{"key": "a/b"}]}', "sites.0.version"),
        (
            '{"kind": "Report", "pools": [{"key": "p", "version": 1, "boot": "b",'
            ' "workers": [{"name": "w", "state": "Odd"}]}]}',
            "pools.0.workers.0.state",
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
