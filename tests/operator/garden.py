"""The whole of it for tests: operator processes, the played node and listeners, and one namespace a test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.operator.played_listener import Listener, Way
from tests.operator.played_node import Conduct, Node
from tests.operator.world import MERGE, Body, Moment, Refused, World, path, until

import webgarden_link as link

SYSTEM = "webgarden-system"
LISTENERS = 2
SPEC = {"listener": {"replicas": LISTENERS}}
POOL_LABEL = "webgarden.dev/pool"
LOOKS = 'webgarden_reconciles_total{kind="ApplicationPool"'
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/webgarden-operator"


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class OperatorProcess:
    """`python -m webgarden`, as one replica of it."""

    def __init__(self, kubeconfig: Path, *, pod: str, directory: Path) -> None:
        self.pod = pod
        self.health_port = free_port()
        self.link_port = free_port()
        self.log = directory / f"{pod}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["operator", "listener_image"]),
            "KUBECONFIG": str(kubeconfig),
            "WEBGARDEN_NAMESPACE": SYSTEM,
            "WEBGARDEN_POD": pod,
            "WEBGARDEN_WORKER_IMAGE": "worker:test",
            "WEBGARDEN_LISTENER_IMAGE": "listener:test",
            "WEBGARDEN_HEALTH_PORT": str(self.health_port),
            "WEBGARDEN_LINK_PORT": str(self.link_port),
            "WEBGARDEN_WEBSERVER": json.dumps(SPEC),
        }

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.running
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webgarden"],
                cwd=Path(__file__).parents[2],
                env=self._environment,
                stdout=output,
                stderr=output,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, *, seconds: float = 30.0) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def ask(self, where: str) -> tuple[int, str]:
        """Status and text of a page of its health port; 0 when nobody answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.health_port}{where}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Value of one metric without labels; -1 when it is not there."""
        lines = self.ask("/metrics")[1].splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), -1.0)

    def looks(self) -> float:
        """How often it has looked at a pool."""
        lines = self.ask("/metrics")[1].splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(LOOKS))

    def said(self) -> str:
        return self.log.read_text(errors="replace")


class Garden:
    """A cluster in which Webgarden is installed."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        self._directory = directory
        self.world = World(kubeconfig)
        self.node = Node(self.world)
        self.node.started = self._started
        self.node.ended = self._ended
        self._way = Way(SYSTEM, self._ports, self.node.answering.__contains__)
        self._listeners: dict[str, Listener] = {}
        self.operator = self.another("operator-0")
        self.others: list[OperatorProcess] = []

    def start(self) -> None:
        self.world.start()
        self.world.request("POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        self.node.conduct(SYSTEM)
        self.node.start()

    def stop(self) -> None:
        for process in [self.operator, *self.others]:
            if process.running:
                process.kill()
        self.world.stop()

    def another(self, pod: str) -> OperatorProcess:
        return OperatorProcess(self.kubeconfig, pod=pod, directory=self._directory)

    def add(self, process: OperatorProcess) -> None:
        """A further replica, which the listeners may go to."""
        self.others.append(process)
        process.start()

    def settle(self) -> None:
        """One operator, all its listeners connected: how each test finds it."""
        for other in self.others:
            if other.running:  # not killed: its Lease would have to run out
                other.signal(signal.SIGTERM)
                other.wait()
        self.others.clear()
        if not self.operator.running:
            self.operator.start()
        for listener in list(self._listeners.values()):
            listener.wake()
            listener.connect()

        def settled() -> bool:
            return len(self.listeners) == LISTENERS == self.operator.metric("webgarden_link_listeners")

        until(settled, f"the listeners\n{self.tail()}", seconds=60)

    def tail(self) -> str:
        return self.operator.said()[-3000:] if self.operator.log.exists() else ""

    @property
    def listeners(self) -> list[Listener]:
        """Those that are connected."""
        return [listener for listener in self._listeners.values() if listener.connected]

    def every_listener(self) -> list[Listener]:
        """Also those that are not connected."""
        return list(self._listeners.values())

    def _ports(self) -> list[int]:
        return [p.link_port for p in [self.operator, *self.others] if p.running]

    def _started(self, pod: Body) -> None:
        if pod["metadata"]["namespace"] == SYSTEM:
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            self._listeners[name] = Listener(self.world, self._way, name=name, uid=uid)
            self._listeners[name].begin()

    def _ended(self, pod: Body) -> None:
        if (listener := self._listeners.pop(pod["metadata"]["name"], None)) is not None:
            listener.end()

    def yard(self, namespace: str) -> Yard:
        self.world.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        until(lambda: self.find(account), f"the service account of {namespace}")
        return Yard(self, namespace)

    def find(self, url: str) -> Body | None:
        """As the API server has it now."""
        try:
            return self.world.request("GET", url)
        except Refused as error:
            assert error.code == 404, error
            return None


class Yard:
    """One namespace: what a test makes and looks at there."""

    def __init__(self, garden: Garden, namespace: str) -> None:
        self.garden = garden
        self.world = garden.world
        self.namespace = namespace
        self.conduct: Conduct = garden.node.conduct(namespace)

    def key(self, pool: str = "shop") -> str:
        return f"{self.namespace}/{pool}"

    # Making.

    def create(self, plural: str, name: str, spec: Body, **metadata: Any) -> Body:  # noqa: ANN401
        kinds = {"applicationpools": "ApplicationPool", "sites": "Site"}
        body = {
            "apiVersion": "webgarden.dev/v1alpha1",
            "kind": kinds[plural],
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
        made = self.world.request("POST", path(plural, self.namespace), body)

        def seen() -> bool:
            found = self.world.objects[plural].get((self.namespace, name))
            return found is not None and found["metadata"]["uid"] == made["metadata"]["uid"]

        until(seen, f"{name} is seen")
        return made

    def pool(self, name: str = "shop", *, wait: bool = True, **spec: Any) -> None:  # noqa: ANN401 (fields of a spec)
        self.create("applicationpools", name, {"worker": {"image": "shop:1"}, **spec})
        if wait:
            known = self.key(name)
            until(
                lambda: all(known in one.pools for one in self.garden.listeners),
                f"{known} in the table; {self.garden.tail()}",
            )

    def change(self, spec: Body, name: str = "shop") -> None:
        """Returns when the operator has looked at it."""
        url = path("applicationpools", self.namespace, name)
        generation = self.world.request("PATCH", url, {"spec": spec}, kind=MERGE)["metadata"]["generation"]
        until(lambda: self.status(name).get("observedGeneration") == generation, f"a look; {self.tell(name)}")

    def look(self, name: str = "shop") -> None:
        """Two whole looks: what the first decides is done when the second begins."""
        for length in (700, 701):
            self.change({"queueLength": length}, name)

    def recycle(self, worker: str = "", name: str = "shop") -> str:
        """Wish it, as soon as every worker is older than now: ages are told in whole seconds. Returns the wish."""
        born = [
            datetime.fromisoformat(self.get("pods", pod)["metadata"]["creationTimestamp"]) for pod in self.pods(name)
        ]
        until(lambda: all(datetime.now(UTC) - time >= timedelta(seconds=1) for time in born), "a second passes")
        wish = ",".join(filter(None, (datetime.now(UTC).isoformat(), worker)))
        patch = {"metadata": {"annotations": {"webgarden.dev/recycle": wish}}}
        self.world.request("PATCH", path("applicationpools", self.namespace, name), patch, kind=MERGE)
        return wish

    def delete(self, plural: str, name: str = "shop") -> None:
        self.world.request("DELETE", path(plural, self.namespace, name))

    # Looking.

    def versions(self, name: str = "shop") -> list[str]:
        """Resource versions of the pool that were seen."""
        moments = [m for m in list(self.world.moments) if m.source == "applicationpools" and self.is_about(m, name)]
        return [m.body["metadata"]["resourceVersion"] for m in moments]

    def recycled(self, count: int = 1, name: str = "shop") -> None:
        until(lambda: self.status(name).get("recycles") == count, f"{count} recycles are counted; {self.tell(name)}")

    def objects(self, plural: str) -> list[Body]:
        return [b for (namespace, _), b in list(self.world.objects[plural].items()) if namespace == self.namespace]

    def get(self, plural: str, name: str = "shop") -> Body:
        return self.world.objects[plural][self.namespace, name]

    def pods(self, pool: str = "shop", *, ending: bool = True) -> list[str]:
        """Names, the oldest first."""
        found = [p for p in self.objects("pods") if p["metadata"].get("labels", {}).get(POOL_LABEL) == pool]
        found = [p for p in found if ending or not p["metadata"].get("deletionTimestamp")]
        return [p["metadata"]["name"] for p in sorted(found, key=lambda p: int(self.first_seen(p["metadata"]["name"])))]

    def first_seen(self, pod: str) -> int:
        return next(i for i, m in enumerate(self.world.moments) if m.source == "pods" and self.is_about(m, pod))

    def is_about(self, moment: Moment, name: str) -> bool:
        if not isinstance(moment.body, dict):
            return False
        metadata = moment.body["metadata"]
        return bool(metadata["name"] == name and metadata.get("namespace") == self.namespace)

    def status(self, name: str = "shop") -> Body:
        """Empty while there is none."""
        found = self.world.objects["applicationpools"].get((self.namespace, name)) or {}
        status: Body = found.get("status") or {}
        return status

    def condition(self, kind: str, name: str = "shop", plural: str = "applicationpools") -> Body:
        conditions = (self.get(plural, name).get("status") or {}).get("conditions") or []
        return next((c for c in conditions if c["type"] == kind), {})

    def states(self, name: str = "shop") -> dict[str, str]:
        return {w["name"]: w["state"] for w in self.status(name).get("workers", ())}

    def serving(self, pool: str = "shop") -> list[str]:
        """Workers that serve at every listener, and are marked as running; the oldest first."""
        listeners, key, states = self.garden.listeners, self.key(pool), self.states(pool)

        def serves(name: str) -> bool:
            return states.get(name) == "Running" and all(one.state(key, name) == "Serving" for one in listeners)

        return [name for name in self.pods(pool, ending=False) if listeners and serves(name)]

    def events(self, *reasons: str) -> list[Body]:
        return [e for e in self.objects("events") if e["reason"] in reasons]

    def deployments(self, pool: str = "shop") -> list[Body]:
        return [d for d in self.objects("deployments") if d["metadata"]["labels"].get(POOL_LABEL) == pool]

    def replicas(self, pool: str = "shop") -> int:
        return sum(d["spec"]["replicas"] for d in self.deployments(pool))

    def made(self, pool: str = "shop") -> list[str]:
        """All pods there ever were, in the order of their making."""
        found = [
            m.body["metadata"]["name"]
            for m in list(self.world.moments)
            if m.source == "pods"
            and m.body["metadata"]["namespace"] == self.namespace
            and m.body["metadata"].get("labels", {}).get(POOL_LABEL) == pool
        ]
        return list(dict.fromkeys(found))

    # Waiting.

    def warm(self, count: int = 1, pool: str = "shop") -> list[str]:
        """Names of the workers once so many serve."""

        def there() -> list[str]:
            found = self.serving(pool)
            return found if len(found) == count == len(self.pods(pool)) else []

        return until(there, f"{count} workers of {pool} that serve; {self.tell(pool)}", seconds=60)

    def gone(self, pod: str) -> None:
        until(lambda: (self.namespace, pod) not in self.world.objects["pods"], f"{pod} goes")

    def tell(self, pool: str = "shop") -> str:
        return f"pods {self.pods(pool)}, states {self.states(pool)}\n{self.garden.tail()}"

    def moment(self, check: Callable[[Moment], bool], what: str = "a moment", *, count: int = 1) -> int:
        """Which place the first such moment (or the `count`th) has among all, counted from 1."""

        def place() -> int:
            found = [i for i, m in enumerate(list(self.world.moments), 1) if check(m)]
            return found[count - 1] if len(found) >= count else 0

        return until(place, f"{what}; {self.tell()}")

    def said(self, worker: str, state: str) -> int:
        """When the last of the listeners first said that of the worker."""
        return max(
            self.moment(lambda m, who=one.name: m.what == who and says(m, worker, state), f"{worker} {state}")  # type: ignore[misc]
            for one in self.garden.listeners
        )

    def told_to_drain(self, worker: str) -> int:
        """When the first of the listeners heard it."""
        return self.moment(lambda m: tells_to_drain(m, worker), f"{worker} is to drain")

    def deleted(self, worker: str) -> int:
        """When its deletion was seen first."""
        return self.moment(
            lambda m: (
                m.source == "pods" and self.is_about(m, worker) and bool(m.body["metadata"].get("deletionTimestamp"))
            ),
            f"{worker} is deleted",
        )


def says(moment: Moment, worker: str, state: str) -> bool:
    report = moment.body
    if moment.source != "said" or not isinstance(report, link.Report):
        return False
    return any(w.name == worker and w.state == state for pool in report.pools for w in pool.workers)


def tells_to_drain(moment: Moment, worker: str) -> bool:
    table = moment.body
    if moment.source != "heard" or not isinstance(table, link.Table | link.Change):
        return False
    draining = link.WorkerState.DRAINING
    return any(w.name == worker and w.state is draining for pool in table.pools for w in pool.workers)


def was_id(event: Body) -> str:
    return str(event["metadata"]["annotations"].get("webgarden.dev/was-event-id", ""))
