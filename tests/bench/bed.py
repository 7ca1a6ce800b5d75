"""Where benchmarks run: the installed release, a namespace that goes with the run, and a way to watch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.watching import Watch
from tests.e2e.installation import Installation, cluster, installed
from tests.e2e.kubernetes import Body, Kubernetes, access, condition
from tests.e2e.tenant import COMES_UP, Tenant
from tests.e2e.waiting import until


@dataclass(frozen=True)
class Bed:
    installation: Installation
    tenant: Tenant

    @property
    def kubernetes(self) -> Kubernetes:
        return self.installation.kubernetes

    def watch(self, kind: str) -> Watch:
        return Watch(access(self.installation.way.kubeconfig()), kind, self.tenant.namespace)

    def until_ready(self, name: str) -> Body:
        """That pod, when it is Ready."""

        def ready() -> Body | None:
            pod = self.tenant.get("Pod", name)
            return pod if condition(pod, "Ready")["status"] == "True" else None

        return until(ready, f"pod {name} Ready", seconds=COMES_UP, seen=self.tenant.describe)


@contextmanager
def bed(*, as_it_is: bool = False) -> Iterator[Bed]:
    """`as_it_is`: neither build nor install, since somebody else uses the release."""
    installation = cluster() if as_it_is else installed()
    tenant = Tenant.create(installation)
    try:
        yield Bed(installation, tenant)
    finally:
        tenant.delete()
