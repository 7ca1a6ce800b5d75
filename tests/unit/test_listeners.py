"""Which listeners are alive, among how many limits are divided, and when a silent one is replaced. In virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webgarden.api.resource import API_VERSION
from webgarden.cluster.store import MemoryStore
from webgarden.manifests.listener import Place
from webgarden.reconcile.listeners import DEFAULT, OVERDUE, Listeners
from webgarden.reconcile.ports import Event, Key, Kind, Outside, Refused
from webgarden.reconcile.sharing import STAYS, Sharing
from webgarden.reconcile.silence import PATIENCE, WAIT_LASTS, Silence
from webgarden.reconcile.webserver import AGAIN, SOON, WebServerReconciler

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RUNNING = {"running": {"startedAt": "2026-01-01T11:00:00Z"}}
ENDED = {"terminated": {"exitCode": 137}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
Body = dict[str, Any]


def pod(
    name: str = "one", *, haproxy: Body | None = RUNNING, agent: Body = RUNNING, phase: str = "Running",
    ready: bool = True, ends: datetime | None = None,
) -> Body:  # fmt: skip
    """`ends`: when the grace of its deletion is over."""
    labels = {"app.kubernetes.io/component": "listener"}
    metadata: Body = {"name": name, "namespace": "web", "uid": f"uid-{name}", "labels": labels, "resourceVersion": "1"}
    if ends is not None:
        metadata["deletionTimestamp"] = ends.isoformat()
    containers = {"agent": agent, **({"haproxy": haproxy} if haproxy is not None else {})}
    return {
        "metadata": metadata,
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": n, "state": state} for n, state in containers.items()],
        },
    }


def alive(body: Body) -> bool:
    store = MemoryStore()
    store.put(Kind.POD, body)
    return bool(Listeners(store, "web", lambda: NOW).alive())


@pytest.mark.parametrize(
    "body",
    [
        pod(),
        pod(ready=False),
        pod(agent=ENDED, ready=False),
        pod(agent=WAITING, ready=False),
        pod(ends=NOW + 60 * SECOND),
        pod(ends=NOW - OVERDUE, ready=False),
    ],
    ids=["well", "not ready", "no agent", "its agent keeps dying", "leaving", "leaving for as long as it may"],
)
def test_a_listener_whose_haproxy_may_run_is_alive(body: Body) -> None:
    assert alive(body)


@pytest.mark.parametrize(
    "body",
    [
        pod(haproxy=ENDED),
        pod(haproxy=WAITING),
        pod(haproxy=None, phase="Pending"),
        pod(phase="Failed"),
        pod(phase="Succeeded"),
        pod(ends=NOW - OVERDUE - SECOND),
    ],
    ids=["haproxy ended", "haproxy waits", "not begun", "failed", "succeeded", "evicted from a node that is gone"],
)
def test_a_listener_whose_haproxy_cannot_run_is_dead(body: Body) -> None:
    assert not alive(body)


def test_other_pods_are_no_listeners() -> None:
    worker = pod()
    worker["metadata"]["labels"] = {"app.kubernetes.io/component": "worker"}
    assert not alive(worker)
    del worker["metadata"]["labels"]
    assert not alive(worker)


def test_limits_are_divided_by_those_that_are_wanted_or_by_those_that_are_there() -> None:
    assert Sharing().count(wanted=2, connected=0, now=NOW) == 2
    assert Sharing().count(wanted=2, connected=3, now=NOW) == 3


def test_listeners_that_are_replaced_one_by_one_change_the_limits_once() -> None:
    sharing, now, counts = Sharing(), NOW, []
    for connected in (2, 3, 2, 3, 2, 2):
        now += STAYS / 2
        counts.append(sharing.count(wanted=2, connected=connected, now=now))
    assert counts == [2, 3, 3, 3, 3, 3]
    assert sharing.next_look == now + STAYS / 2
    assert sharing.count(wanted=2, connected=2, now=now + STAYS / 2) == 2
    assert sharing.next_look is None


@dataclass
class Play:
    """Listeners by name: whether each is linked."""

    linked: dict[str, bool] = field(default_factory=dict)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        listeners = Listeners(self.store, "web", lambda: NOW)
        self.silence = Silence(listeners=listeners, connected=self._connected, monotonic=lambda: self.now)
        for name in self.linked:
            self.store.put(Kind.POD, pod(name))

    def _connected(self) -> frozenset[str]:
        return frozenset(name for name, linked in self.linked.items() if linked)

    def run(self, seconds: float, *, waits: bool = True) -> str:
        """Look every five seconds. Returns the listener that is to be replaced in the end."""
        for _ in range(int(seconds // 5)):
            self.now += 5
            if waits:
                self.silence.wait()
            self.silence.look()
        return self.silence.due()

    def delete(self, name: str, *, ends: datetime) -> None:
        self.store.put(Kind.POD, pod(name, ends=ends))


def test_a_listener_that_stays_silent_while_a_worker_must_go_is_replaced() -> None:
    play = Play({"one": True, "two": False})
    assert play.run(PATIENCE) == ""
    assert play.run(5) == "two"


def test_a_listener_that_is_back_in_time_stays() -> None:
    play = Play({"one": True, "two": False})
    play.run(PATIENCE)
    play.linked["two"] = True
    play.run(5)
    play.linked["two"] = False
    assert play.run(PATIENCE) == ""


def test_a_silent_listener_stays_while_no_worker_must_go() -> None:
    play = Play({"one": True, "two": False})
    assert play.run(10 * PATIENCE, waits=False) == ""
    assert play.run(5) == "two"
    play.now += WAIT_LASTS
    assert play.silence.due() == ""


def test_time_counts_while_another_listener_is_linked() -> None:
    play = Play({"one": False, "two": False})
    assert play.run(10 * PATIENCE) == ""  # an operator that was away
    play.linked["one"] = True
    assert play.run(PATIENCE) == ""
    assert play.run(5) == "two"
    play.linked["one"] = False
    assert play.run(5) == ""
    play.linked["one"] = True
    assert play.run(PATIENCE) == ""


def test_one_is_replaced_at_a_time() -> None:
    play = Play({"one": True, "three": False, "two": False})
    assert play.run(PATIENCE + 5) == "three"
    play.delete("three", ends=NOW + 140 * SECOND)
    assert play.run(10 * PATIENCE) == ""
    play.delete("three", ends=NOW - OVERDUE - SECOND)  # on a node that is gone, it stays for ever
    assert play.run(5) == "two"


def test_the_next_look_is_soon_while_one_is_silent() -> None:
    play = Play({"one": True, "two": False})
    assert play.silence.look()
    play.linked["two"] = True
    assert not play.silence.look()


PLACE = Place(namespace="web", image="listener:1", pull_policy="Always", link_url="wss://operator/link")
WELL: Body = {"listener": {"replicas": 1}}
UNREADABLE: Body = {"listener": {"replicas": "some"}}


class Looks:
    """Looks at the WebServer, with an API server that may refuse everything."""

    def __init__(self, spec: Body | None, *, initial: Body | None = None, refuses: bool = False) -> None:
        self.play = Play({"one": True, "two": False})
        self.now = NOW
        self.count = 0
        self.happened: list[str] = []
        self._refuses = refuses
        if spec is not None:
            metadata = {"name": "default", "uid": "u", "generation": 1}
            body = {"apiVersion": API_VERSION, "kind": "WebServer", "metadata": metadata, "spec": spec}
            self.play.store.put(Kind.WEB_SERVER, body)
        parts: Any = {"store": self.play.store, "writer": self, "link": self, "recorder": self}
        self.reconciler = WebServerReconciler(
            Outside(**parts, clock=lambda: self.now),
            listeners=Listeners(self.play.store, "web", lambda: self.now),
            silence=self.play.silence,
            place=PLACE,
            initial=initial,
        )

    async def look(self) -> datetime | None:
        """Returns when to look again."""
        self.play.silence.wait()
        return await self.reconciler.reconcile(DEFAULT)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds * SECOND
        self.play.now += seconds

    # What the reconciler is given.

    def connected(self) -> frozenset[str]:
        return frozenset(name for name, linked in self.play.linked.items() if linked)

    def publish_listeners(self, count: int) -> None:
        self.count = count

    async def get(self, key: Key) -> Body | None:
        return self.play.store.get(key)

    async def apply(self, manifest: Body) -> Body:
        if self._refuses:
            raise Refused("not so")
        return manifest

    async def write_status(self, body: Body, status: Body) -> None:
        self.play.store.put(Kind.WEB_SERVER, {**body, "status": status})

    async def delete(self, key: Key, *, uid: str) -> None:
        self.happened.append(f"{uid} deleted")
        self.play.store.drop(Kind.POD, pod(key.name))

    async def record(self, about: Body, event: Event) -> None:
        self.happened.append(event.reason)


@pytest.mark.parametrize("spec", [WELL, UNREADABLE], ids=["a spec", "a spec that cannot be read"])
async def test_a_silent_listener_is_replaced_whatever_the_web_server_says(spec: Body) -> None:
    looks = Looks(spec)
    assert await looks.look() == NOW + SOON
    looks.pass_by(PATIENCE)
    await looks.look()
    assert looks.happened == ["uid-two deleted", "ListenerSilent"]
    assert await looks.look() == looks.now + AGAIN


async def test_a_silent_listener_is_replaced_though_the_charts_spec_is_refused() -> None:
    looks = Looks(WELL, initial=UNREADABLE, refuses=True)
    for _ in range(2):
        with pytest.raises(Refused):
            await looks.look()
        looks.pass_by(PATIENCE)
    assert looks.happened == ["uid-two deleted", "ListenerSilent"]


@pytest.mark.parametrize("spec", [WELL, UNREADABLE, None], ids=["a spec", "a spec that cannot be read", "none"])
async def test_fewer_listeners_are_looked_for_when_it_is_time_whatever_the_web_server_says(spec: Body | None) -> None:
    looks = Looks(spec)
    looks.play.linked |= {"two": True, "three": True}
    await looks.look()
    assert looks.count == 3
    del looks.play.linked["three"]
    assert await looks.look() == NOW + STAYS
    looks.pass_by(STAYS.total_seconds())
    await looks.look()
    assert looks.count == 2
