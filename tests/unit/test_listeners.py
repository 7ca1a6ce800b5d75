"""Which listeners are alive, among how many limits are divided, and when a silent one is replaced. In virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webgarden.cluster.store import MemoryStore
from webgarden.reconcile.listeners import OVERDUE, Listeners
from webgarden.reconcile.ports import Kind
from webgarden.reconcile.sharing import STAYS, Sharing
from webgarden.reconcile.silence import PATIENCE, WAIT_LASTS, Silence

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
    metadata: Body = {"name": name, "namespace": "web", "labels": labels, "resourceVersion": "1"}
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
