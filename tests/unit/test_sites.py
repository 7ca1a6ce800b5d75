"""One look at a Site: what is said of it, and when an Event tells of a listener that refuses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

import webgarden_link as link
from webgarden.api.resource import API_VERSION
from webgarden.cluster.store import MemoryStore
from webgarden.reconcile.listeners import Listeners
from webgarden.reconcile.ports import Body, Event, Key, Kind, Outside, SiteFacts
from webgarden.reconcile.site import SiteReconciler

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = Key(Kind.SITE, "a", "shop")
LIVE = SiteFacts(live=True)


@dataclass
class Play:
    """The link, the writer and the recorder of one Site."""

    facts: SiteFacts = LIVE
    told: list[str] = field(default_factory=list)
    published: list[link.Site] = field(default_factory=list)
    writes: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        pool = {"metadata": {"name": "shop", "namespace": "a"}}
        self.store.put(Kind.POOL, pool)
        self.change(1)
        listeners = Listeners(self.store, "web", lambda: NOW)
        parts: Any = {"store": self.store, "writer": self, "link": self, "recorder": self}
        self.reconciler = SiteReconciler(Outside(**parts, clock=lambda: NOW), listeners=listeners)

    def change(self, generation: int, **application: str) -> None:
        known = self.store.get(KEY) or {}
        application = {"path": "/", "pool": "shop", **application}
        body = {
            "apiVersion": API_VERSION,
            "kind": "Site",
            "metadata": {"name": "shop", "namespace": "a", "generation": generation},
            "spec": {"bindings": [{"host": "x.test"}], "applications": [application]},
            "status": known.get("status", {}),
        }
        self.store.put(Kind.SITE, body)

    async def look(self, facts: SiteFacts) -> dict[str, tuple[str, str]]:
        """Conditions as (status, reason) after a look at what the listeners say now."""
        self.facts = facts
        await self.reconciler.reconcile(KEY)
        conditions = (self.store.get(KEY) or {})["status"]["conditions"]
        return {c["type"]: (c["status"], c["reason"]) for c in conditions}

    def message(self, kind: str) -> str:
        conditions = (self.store.get(KEY) or {})["status"]["conditions"]
        return next(str(c["message"]) for c in conditions if c["type"] == kind)

    # What the reconciler is given.

    def publish_site(self, site: link.Site) -> None:
        self.published.append(site)

    def site_facts(self, site: str) -> SiteFacts:
        assert site == KEY.path
        return self.facts

    async def write_status(self, body: Body, status: Body) -> None:
        self.writes += 1
        self.store.put(Kind.SITE, {**body, "status": status})

    async def record(self, about: Body, event: Event) -> None:
        assert event.warning and about["kind"] == "Site" and event.message
        self.told.append(event.reason)


@pytest.fixture
def play() -> Play:
    return Play()


async def test_a_site_that_every_listener_has_is_ready(play: Play) -> None:
    found = await play.look(LIVE)
    assert found["Ready"] == ("True", "Ready")
    assert found["Published"] == ("True", "Published")


async def test_a_site_is_not_ready_before_every_listener_has_it(play: Play) -> None:
    found = await play.look(SiteFacts())
    assert found["Ready"] == found["Published"] == ("False", "Publishing")
    assert (await play.look(LIVE))["Ready"] == ("True", "Ready")
    play.change(2)
    assert (await play.look(SiteFacts()))["Ready"] == ("False", "Publishing")
    assert play.told == []


async def test_an_operator_that_has_heard_of_no_listener_yet_takes_nothing_back(play: Play) -> None:
    await play.look(LIVE)
    assert (await play.look(SiteFacts()))["Ready"] == ("True", "Ready")
    refused = await play.look(SiteFacts(refusals={"old": "no affinity"}))
    assert await play.look(SiteFacts()) == refused
    assert play.writes == 2


async def test_a_site_that_a_listener_is_too_old_for_says_which_and_what_to_do(play: Play) -> None:
    play.change(1, affinity="Cookie")
    found = await play.look(SiteFacts(live=True, refusals={"old": "it has no affinity", "older": "nor this one"}))
    assert play.published[-1].requires == ("affinity",)
    assert found["Ready"] == found["Published"] == ("False", "ListenerTooOld")
    assert found["Accepted"] == ("True", "Accepted")
    assert "old does not serve it: it has no affinity; older does not" in play.message("Ready")
    assert "image of the operator's release" in play.message("Ready")
    assert (await play.look(LIVE))["Ready"] == ("True", "Ready")


async def test_any_other_refusal_is_told_in_the_listener_s_words(play: Play) -> None:
    found = await play.look(SiteFacts(refusals={"one": "its host is odd"}))
    assert found["Ready"] == ("False", "SiteRefused")
    assert "one does not serve it: its host is odd" in play.message("Ready")


async def test_a_refusal_is_an_event_once(play: Play) -> None:
    refused = SiteFacts(refusals={"one": "its host is odd"})
    await play.look(refused)
    await play.look(refused)
    await play.look(SiteFacts(refusals={**refused.refusals, "two": "its host is odd"}))
    assert play.told == ["SiteRefused"]
    await play.look(LIVE)
    await play.look(refused)
    assert play.told == ["SiteRefused"] * 2


async def test_what_is_wrong_with_the_site_itself_is_said_first(play: Play) -> None:
    play.store.drop(Kind.POOL, {"metadata": {"name": "shop", "namespace": "a"}})
    found = await play.look(SiteFacts(refusals={"one": "its host is odd"}))
    assert found["Ready"] == ("False", "PoolMissing")
    assert found["Published"] == ("False", "SiteRefused")
