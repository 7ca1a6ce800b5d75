"""What a storm hits, and how: processes inside their containers, pods with their grace and without, and recycles.

Two are never hit at the same time, since then nobody could promise anything: a listener while the other one is not ready,
and an operator while the other one is not (all of them away is a test of its own). All else may come together.
Only processes found in the containers of a pod are signalled.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.cluster.processes import Process
from tests.e2e import asking, containers
from tests.e2e.asking import Place
from tests.e2e.attribution import Kind
from tests.e2e.installation import LISTENER_PORT, Installation
from tests.e2e.kubernetes import Body, condition
from tests.e2e.storm import Strike, Struck
from tests.e2e.tenant import Pool

PAIR = 2
"""Listeners, and operators."""
ANSWERS = 1.0
"""Seconds that a listener has to answer when it is asked whether it is back."""


@dataclass(frozen=True)
class Field:
    """Where the storm rages."""

    installation: Installation
    pools: Sequence[Pool]
    """Whose workers are hit. The first never sleeps, and is recycled."""

    def strikes(self) -> Mapping[Kind, Strike]:
        return {
            Kind.AGENT_KILLED: self.kill_agent,
            Kind.HAPROXY_KILLED: self.kill_haproxy,
            Kind.LISTENER_DELETED: partial(self.delete_one, "listener", grace=None),
            Kind.LISTENER_KILLED: partial(self.delete_one, "listener", grace=0),
            Kind.OPERATOR_DELETED: partial(self.delete_one, "operator", grace=None),
            Kind.OPERATOR_KILLED: partial(self.delete_one, "operator", grace=0),
            Kind.WORKER_DELETED: partial(self.delete_worker, grace=None),
            Kind.WORKER_KILLED: partial(self.delete_worker, grace=0),
            Kind.RECYCLE: self.recycle,
        }

    def kill_agent(self, chance: random.Random) -> Struck | None:
        pod = _any(chance, self.installation.pods("listener"))
        process = _process(pod, "agent", lambda words: "agent-process" in words)
        if pod is None or process is None:
            return None
        process.kill()
        return Struck(_name(pod), lambda: not process.alive())

    def kill_haproxy(self, chance: random.Random) -> Struck | None:
        pod = _any(chance, self._pair("listener"))
        process = _process(pod, "haproxy", lambda words: words[0].rpartition("/")[2] == "haproxy")
        if pod is None or process is None:
            return None
        process.kill()
        return Struck(_name(pod), lambda: not process.alive() and (self._serves(pod) or self._gone(pod)))

    def delete_one(self, component: str, chance: random.Random, *, grace: int | None) -> Struck | None:
        pod = _any(chance, self._pair(component))
        return self._delete(pod, grace) if pod else None

    def delete_worker(self, chance: random.Random, *, grace: int | None) -> Struck | None:
        running = [(pool, pod) for pool in self.pools for pod in pool.tenant.pods(pool.name) if _runs(pod)]
        if not running:
            return None
        pool, pod = chance.choice(running)
        return self._delete(pod, grace, host=pool.host)

    def recycle(self, _chance: random.Random) -> Struck:
        self.pools[0].recycle()
        return Struck(self.pools[0].name, lambda: True)

    def _delete(self, pod: Body, grace: int | None, *, host: str = "") -> Struck:
        """Without grace the API server forgets a pod before its processes are gone, so they are asked for themselves."""
        there = containers.processes(pod)
        self.installation.kubernetes.delete("Pod", _name(pod), _namespace(pod), grace_seconds=grace)
        return Struck(_name(pod), lambda: self._gone(pod) and not any(p.alive() for p in there), host)

    def _gone(self, pod: Body) -> bool:
        return self.installation.kubernetes.get("Pod", _name(pod), _namespace(pod)) is None

    def _pair(self, component: str) -> list[Body]:
        """Both of them, or none when one is not ready."""
        pods = self.installation.pods(component)
        whole = len(pods) == PAIR and all(_ready(pod) for pod in pods)
        return pods if whole and (component != "listener" or all(self._serves(pod) for pod in pods)) else []

    def _serves(self, listener: Body) -> bool:
        """Whether it answers for a pool that never sleeps. Its readiness is seconds behind."""
        place = Place(listener["status"]["podIP"], LISTENER_PORT)
        try:
            return asking.ask(place, self.pools[0].host, patience=ANSWERS).status == 200
        except (OSError, http.client.HTTPException):
            return False


def _any(chance: random.Random, pods: Sequence[Body]) -> Body | None:
    return chance.choice(pods) if pods else None


def _process(pod: Body | None, container: str, wanted: Callable[[Sequence[str]], bool]) -> Process | None:
    found = containers.processes(pod, container=container) if pod else []
    return next((process for process in found if wanted(containers.words(process))), None)


def _runs(pod: Body) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") == "Running"


def _ready(pod: Body) -> bool:
    return bool(condition(pod, "Ready")["status"] == "True")


def _name(pod: Body) -> str:
    return str(pod["metadata"]["name"])


def _namespace(pod: Body) -> str:
    return str(pod["metadata"]["namespace"])
