"""A played scheduler, node and kubelet: pods are bound, get an address, run, crash and end as the test says.

One Node whose Lease is renewed. Each namespace has its `Conduct`, which a test may change at any time; what waits for it to
change (a pull that fails, a pod that fits nowhere) is looked at again at once. A container that has crashed stays as it is:
the operator under test replaces the pod and does not wait for a restart.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.operator.world import MERGE, Body, Refused, World, path

NAME = "played"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
FIRST_ADDRESS = int(ipaddress.IPv4Address("10.244.0.10"))


@dataclass
class Conduct:
    """How pods of one namespace fare."""

    start: float = 0.05
    """Seconds from being bound to running."""
    stop: float = 0.05
    """Seconds from being told to end to being gone, if the grace period allows."""
    pulls: bool = True
    """False: the image cannot be pulled."""
    fits: bool = True
    """False: no node has room."""
    answers: bool = True
    """False: the container runs, and nobody listens on its port."""


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: bool, reason: str = "", message: str = "") -> Body:
    found = {"type": kind, "status": str(status), "reason": reason, "message": message, "lastTransitionTime": now()}
    return {name: value for name, value in found.items() if value}


class Node:
    def __init__(self, world: World) -> None:
        self._world = world
        self._conduct: dict[str, Conduct] = {}
        self._alive: set[str] = set()
        self._ending: set[str] = set()
        self._numbers = itertools.count(FIRST_ADDRESS)
        self.answering: dict[str, str] = {}
        """Address -> pod, of containers that answer on their port."""
        self.graces: dict[str, int] = {}
        """Pod -> the grace period with which it was deleted."""
        self.started: Callable[[Body], None] = lambda _: None
        self.ended: Callable[[Body], None] = lambda _: None

    def conduct(self, namespace: str) -> Conduct:
        return self._conduct.setdefault(namespace, Conduct())

    def start(self) -> None:
        self._world.call(self._register())

    def crash(self, namespace: str, name: str, *, message: str = "", restarted: bool = False) -> None:
        """The container ends by itself; `restarted`: and the kubelet has another running before anybody looks."""
        self._world.call(self._crash(namespace, name, message=message, restarted=restarted))

    def stop_container(self, namespace: str, name: str, container: str) -> None:
        """That one of the pod ends, so the pod is not ready; the others run on."""
        self._world.call(self._stop_container(self._world.objects["pods"][namespace, name], container))

    async def _register(self) -> None:
        await self._world.ask("POST", "/api/v1/nodes", {"metadata": {"name": NAME}})
        status = {"conditions": [condition("Ready", True)], "capacity": {"pods": "1000", "cpu": "64", "memory": "64Gi"}}
        status["allocatable"] = status["capacity"]
        await self._world.ask("PATCH", f"/api/v1/nodes/{NAME}/status", {"status": status}, kind=MERGE)
        spec = {"holderIdentity": NAME, "leaseDurationSeconds": 40}
        await self._world.ask("POST", LEASES, {"metadata": {"name": NAME}, "spec": spec})
        self._world.watchers.append(self._watch)
        self._world.spawn(self._renew())
        for pod in list(self._world.objects["pods"].values()):
            self._watch("pods", "ADDED", pod)

    async def _renew(self) -> None:
        while True:
            time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            with suppress(Refused, OSError):  # the API server is away: the next one will do
                await self._world.ask("PATCH", f"{LEASES}/{NAME}", {"spec": {"renewTime": time}}, kind=MERGE)
            await asyncio.sleep(5)

    def _watch(self, plural: str, kind: str, pod: Body) -> None:
        if plural != "pods" or pod["metadata"]["namespace"] not in self._conduct:
            return
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            self._silence(pod)
        elif pod["metadata"].get("deletionTimestamp"):
            if uid not in self._ending:
                self._ending.add(uid)
                self._world.spawn(self._end(pod))
        elif uid not in self._alive:
            self._alive.add(uid)
            self._world.spawn(self._live(pod))

    async def _live(self, pod: Body) -> None:
        """From its creation to running."""
        namespace, name, uid = (pod["metadata"][k] for k in ("namespace", "name", "uid"))
        conduct = self.conduct(namespace)
        try:
            if not conduct.fits:
                full = "0/1 nodes are available: 1 Insufficient memory."
                await self._say(pod, conditions=[condition("PodScheduled", False, "Unschedulable", full)])
                await self._wait(uid, lambda: conduct.fits)
            target = {"apiVersion": "v1", "kind": "Node", "name": NAME}
            binding = {"metadata": {"name": name, "uid": uid}, "target": target}
            await self._world.ask("POST", f"{path('pods', namespace, name)}/binding", binding)
            if not conduct.pulls:
                waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image: not found"}
                await self._say(pod, phase="Pending", containerStatuses=_containers(pod, {"waiting": waiting}))
                await self._wait(uid, lambda: conduct.pulls)
            await asyncio.sleep(conduct.start)
            await self._run(pod, conduct)
        except Refused as error:
            if error.code not in (404, 409):
                raise  # else it went meanwhile

    async def _wait(self, uid: str, over: Callable[[], bool]) -> None:
        while not over():
            if uid in self._ending or not any(p["metadata"]["uid"] == uid for p in self._pods()):
                raise Refused(404, "it has gone")
            await asyncio.sleep(0.02)

    def _pods(self) -> list[Body]:
        return list(self._world.objects["pods"].values())

    async def _run(self, pod: Body, conduct: Conduct) -> None:
        address = str(ipaddress.IPv4Address(next(self._numbers)))
        if conduct.answers:
            self.answering[address] = pod["metadata"]["name"]
        await self._say(
            pod,
            phase="Running",
            podIP=address,
            podIPs=[{"ip": address}],
            startTime=now(),
            conditions=[condition("PodScheduled", True), condition("Ready", True)],
            containerStatuses=_containers(pod, {"running": {"startedAt": now()}}, ready=True),
        )
        self.started(pod)

    async def _end(self, pod: Body) -> None:
        """After SIGTERM: the pod is gone when its process has ended, or is cut."""
        namespace, name, uid = (pod["metadata"][k] for k in ("namespace", "name", "uid"))
        grace = pod["metadata"]["deletionGracePeriodSeconds"]
        self.graces[name] = grace
        await asyncio.sleep(min(self.conduct(namespace).stop, grace))
        self._silence(pod)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        try:
            await self._world.ask("DELETE", path("pods", namespace, name), options)
        except Refused as error:
            if error.code not in (404, 409):
                raise

    async def _crash(self, namespace: str, name: str, *, message: str, restarted: bool) -> None:
        pod = self._world.objects["pods"][namespace, name]
        ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": message, "finishedAt": now()}}
        address = pod["status"]["podIP"]
        if not restarted:
            del self.answering[address]
            await self._say(pod, containerStatuses=_containers(pod, ended))
            return
        again = {"running": {"startedAt": now()}}
        await self._say(pod, containerStatuses=_containers(pod, again, ready=True, restarts=1, last=ended))

    async def _stop_container(self, pod: Body, container: str) -> None:
        statuses = _containers(pod, {"running": {"startedAt": now()}}, ready=True)
        stopped = next(status for status in statuses if status["name"] == container)
        stopped |= {"ready": False, "state": {"terminated": {"exitCode": 1, "finishedAt": now()}}}
        await self._say(pod, conditions=[condition("Ready", False)], containerStatuses=statuses)

    def _silence(self, pod: Body) -> None:
        gone = [a for a, name in self.answering.items() if name == pod["metadata"]["name"]]
        for address in gone:
            del self.answering[address]
        self.ended(pod)

    async def _say(self, pod: Body, **status: Any) -> None:  # noqa: ANN401 (fields of a PodStatus)
        url = f"{path('pods', pod['metadata']['namespace'], pod['metadata']['name'])}/status"
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        await self._world.ask("PATCH", url, patch, kind=MERGE)


def _containers(
    pod: Body, state: Body, *, ready: bool = False, restarts: int = 0, last: Body | None = None
) -> list[Body]:
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "started": ready,
            "restartCount": restarts,
            "state": state,
            "lastState": last or {},
        }
        for container in pod["spec"]["containers"]
    ]
