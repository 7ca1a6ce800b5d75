"""One test's namespace, with restricted Pod Security: its pools, its sites, and what became of them.

Names of hosts carry the namespace, so that tests which run at the same time never claim one another's.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e import asking
from tests.e2e.asking import Answer, Place
from tests.e2e.clients import Clients
from tests.e2e.installation import LISTENER_PORT, RESTRICTED, Installation
from tests.e2e.kubernetes import Body, condition
from tests.e2e.waiting import until

VERSION = "webgarden.dev/v1alpha1"
PROGRAMS = Path(__file__).parent / "programs"
HOSTED = {"kind": "ASGI", "target": "garden:app", "root": "/app"}
ABRUPT = {"command": ["python", "/app/abrupt.py"]}
"""A worker that exits at SIGTERM, whatever it is doing."""
COMES_UP = 60.0
MARK = "webgarden-e2e"
"""Label of each test's namespace."""


@dataclass
class Tenant:
    installation: Installation
    namespace: str

    @classmethod
    def create(cls, installation: Installation) -> Tenant:
        tenant = cls(installation, f"e2e-{secrets.token_hex(3)}")
        metadata = {"name": tenant.namespace, "labels": {**RESTRICTED, MARK: "test"}}
        installation.kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        programs = {path.name: path.read_text() for path in sorted(PROGRAMS.glob("*.py"))}
        tenant.apply("v1", "ConfigMap", "programs", data=programs)
        return tenant

    def delete(self) -> None:
        """Returns at once; a test about deletion waits for it."""
        self.installation.kubernetes.delete("Namespace", self.namespace)

    def apply(self, version: str, kind: str, name: str, **rest: Any) -> Body:  # noqa: ANN401
        metadata = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}
        return self.installation.kubernetes.apply(body)

    def get(self, kind: str, name: str) -> Body | None:
        return self.installation.kubernetes.get(kind, name, self.namespace)

    def pods(self, pool: str = "") -> list[Body]:
        return self.installation.kubernetes.list(
            "Pod", self.namespace, labels=f"webgarden.dev/pool={pool}" if pool else ""
        )

    def events(self, reason: str) -> list[Body]:
        found = self.installation.kubernetes.list("Event", self.namespace)
        return [e for e in found if e.get("reason") == reason]

    def pool(
        self,
        name: str = "garden",
        *,
        worker: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        **spec: Any,  # noqa: ANN401
    ) -> Pool:
        """Apply a pool that can run the programs of these tests. `model`: its `processModel`."""
        programs = {
            "volumes": [{"name": "programs", "configMap": {"name": "programs"}}],
            "volumeMounts": [{"name": "programs", "mountPath": "/app"}],
        }
        whole = {"worker": {**programs, **(worker or {})}, "processModel": dict(model or {}), **spec}
        self.apply(VERSION, "ApplicationPool", name, spec=whole)
        return Pool(self, name)

    def site(self, pool: str = "garden", *, host: str = "", name: str = "", hosted: bool = True) -> None:
        """Apply a site with one application. `hosted`: the worker image runs it."""
        application: Body = {"path": "/", "pool": pool, **({"app": HOSTED} if hosted else {})}
        bindings = [{"host": host or self.host(pool)}]
        self.apply(VERSION, "Site", name or pool, spec={"bindings": bindings, "applications": [application]})

    def garden(self, name: str = "garden", **spec: Any) -> Pool:  # noqa: ANN401
        """A site, and its pool with the ASGI application; the site first, since it is part of the pod template."""
        abrupt = "command" in (spec.get("worker") or {})
        self.site(name, hosted=not abrupt)
        pool = self.pool(name, **spec)
        pool.routed()
        return pool

    def host(self, pool: str) -> str:
        return f"{pool}.{self.namespace}.test"

    def told(self) -> None:
        """Wait until every listener knows what the operator knows now, without waking a pool.

        A listener takes changes in order: it knows all before a site when it answers for that. This one has no pool.
        """
        host = f"{secrets.token_hex(4)}.{self.namespace}.test"
        self.site("absent", host=host, name="marker", hosted=False)

        def everywhere() -> bool:
            pods = self.installation.pods("listener")
            places = [Place(p["status"].get("podIP", ""), LISTENER_PORT) for p in pods]
            try:
                return bool(places) and all(asking.ask(place, host).reason == "PoolMissing" for place in places)
            except OSError:
                return False  # a listener that only just starts

        until(everywhere, "every listener to know", seconds=COMES_UP, seen=self.describe)

    def describe(self) -> str:
        """Pools, sites, pods and Events, for a test that failed."""
        kubernetes = self.installation.kubernetes
        said = []
        for kind in ("ApplicationPool", "Site"):
            for body in kubernetes.list(kind, self.namespace):
                said.append(f"{kind} {body['metadata']['name']}: {json.dumps(body.get('status'), indent=1)}")
        for event in kubernetes.list("Event", self.namespace)[-40:]:
            said.append(f"{event.get('lastTimestamp') or event.get('eventTime')} {event['reason']}: {event['message']}")
        for pod in self.pods():
            name = pod["metadata"]["name"]
            said.append(f"log of {name}:\n{kubernetes.logs(name, self.namespace)[-1500:]}")
        return "\n".join(said)


@dataclass(frozen=True)
class Pool:
    tenant: Tenant
    name: str

    @property
    def host(self) -> str:
        return self.tenant.host(self.name)

    @property
    def place(self) -> Place:
        return self.tenant.installation.listener

    @property
    def body(self) -> Body:
        found = self.tenant.get("ApplicationPool", self.name)
        assert found, f"there is no pool {self.name}"
        return found

    @property
    def status(self) -> Body:
        found: Body = self.body.get("status") or {}
        return found

    @property
    def recycles(self) -> int:
        return int(self.status.get("recycles", 0))

    def workers(self, state: str = "Running") -> list[str]:
        """Names of workers in that state, in the order of the status."""
        return [w["name"] for w in self.status.get("workers", []) if w["state"] == state]

    def condition(self, kind: str) -> Body:
        return condition(self.body, kind)

    def change(self, spec: Body) -> None:
        self.tenant.installation.kubernetes.patch("ApplicationPool", self.name, self.tenant.namespace, {"spec": spec})

    def recycle(self, worker: str = "") -> None:
        """Ask for it, as `kubectl annotate` would."""
        wish = datetime.now(UTC).isoformat() + (f",{worker}" if worker else "")
        annotation = {"metadata": {"annotations": {"webgarden.dev/recycle": wish}}}
        kubernetes = self.tenant.installation.kubernetes
        kubernetes.patch("ApplicationPool", self.name, self.tenant.namespace, annotation)

    def ask(self, path: str = "/", **how: Any) -> Answer:  # noqa: ANN401
        return asking.ask(self.place, self.host, path, **how)

    def clients(self, **how: Any) -> Clients:  # noqa: ANN401
        place = self.place
        post = {"path": "/echo"} if how.get("method") == "POST" else {}
        return Clients(**{"address": place.address, "port": place.port, "host": self.host, **post, **how})

    def routed(self) -> None:
        """Wait until the operator has told the listeners of the pool and its site."""

        def known() -> bool:
            site = self.tenant.get("Site", self.name)
            return condition(site, "Ready")["status"] == "True" and "state" in self.status

        until(known, f"{self.host} to be routed", seconds=COMES_UP, seen=self.tenant.describe)
        self.tenant.told()

    def until(self, condition: Any, what: str, *, seconds: float = COMES_UP) -> Any:  # noqa: ANN401
        return until(condition, what, seconds=seconds, seen=lambda: json.dumps(self.status, indent=1))

    def running(self, count: int, *, seconds: float = COMES_UP) -> list[str]:
        """Wait for that many workers that run, and no other ones."""

        def there() -> list[str]:
            found = [w["name"] for w in self.status.get("workers", [])]
            return found if len(found) == count and self.workers() == found else []

        names: list[str] = self.until(there, f"{count} workers", seconds=seconds)
        return names

    def asleep(self, *, seconds: float = COMES_UP) -> None:
        """Wait until the pool has no worker, and no pod of one is left."""
        gone = lambda: not self.status.get("workers") and not self.tenant.pods(self.name)  # noqa: E731
        self.until(gone, "the last worker to be gone", seconds=seconds)

    def settled(self, recycles: int, count: int, *, seconds: float = COMES_UP) -> None:
        """Wait until that many workers have been recycled in all, and `count` run."""
        self.until(lambda: self.recycles >= recycles, f"{recycles} recycles", seconds=seconds)
        self.running(count, seconds=seconds)
