"""Where each kind lives in the API server: one table for watching and writing."""

from __future__ import annotations

from dataclasses import dataclass

from webgarden.api.resource import GROUP, VERSION
from webgarden.reconcile.ports import Key, Kind


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str = "") -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.root}/{self.plural}"


RESOURCES: dict[Kind, Resource] = {
    Kind.POOL: Resource(GROUP, VERSION, "applicationpools"),
    Kind.SITE: Resource(GROUP, VERSION, "sites"),
    Kind.WEB_SERVER: Resource(GROUP, VERSION, "webservers", namespaced=False),
    Kind.DEPLOYMENT: Resource("apps", "v1", "deployments"),
    Kind.POD: Resource("", "v1", "pods"),
    Kind.SERVICE: Resource("", "v1", "services"),
    Kind.SERVICE_ACCOUNT: Resource("", "v1", "serviceaccounts"),
    Kind.CONFIG_MAP: Resource("", "v1", "configmaps"),
    Kind.SECRET: Resource("", "v1", "secrets"),
    Kind.CLUSTER_ROLE: Resource("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False),
    Kind.DISRUPTION_BUDGET: Resource("policy", "v1", "poddisruptionbudgets"),
}


def path(key: Key) -> str:
    return f"{RESOURCES[key.kind].collection(key.namespace)}/{key.name}"
