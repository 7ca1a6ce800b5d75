"""Labels, annotations and names that we write into Kubernetes, all in one place: they are an interface."""

from __future__ import annotations

from typing import Any, Final

from webgarden.api.resource import Resource

PREFIX: Final = "webgarden.dev"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
COMPONENT: Final = "app.kubernetes.io/component"
MANAGER: Final = "webgarden"

# Labels of worker pods and their Deployments.
POOL: Final = f"{PREFIX}/pool"
REVISION: Final = f"{PREFIX}/revision"
"""Hash of the pod template."""
ROTATION: Final = f"{PREFIX}/rotation"
"""`in`: the ReplicaSet counts the pod. `out`: it has been taken out, and the pool owns it."""

# Annotations of worker pods.
RUNNING_SINCE: Final = f"{PREFIX}/running-since"
"""When a listener first had an answer from it."""
RESTARTS: Final = f"{PREFIX}/restarts"
"""How often its container had been restarted by then: one restart more is a crash."""
LEAVING: Final = f"{PREFIX}/leaving"
"""JSON {reason, since, replace}: the worker is on its way out, and why."""

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
"""Kubernetes': of pods that are ready, a ReplicaSet deletes the cheapest first."""

# Annotations of Deployments.
WANTED: Final = f"{PREFIX}/wanted"
SCALED_AT: Final = f"{PREFIX}/scaled-at"

# Annotation of an ApplicationPool, set by its administrator.
RECYCLE: Final = f"{PREFIX}/recycle"

# Annotation of Events.
WAS_EVENT_ID: Final = f"{PREFIX}/was-event-id"

LISTENER: Final = "webgarden-listener"
"""Deployment, Service, ServiceAccount and disruption budget of the listener."""
AUTHORITY: Final = "webgarden-link-ca"
"""Secret with the link's own certificate authority, and the ConfigMap with its certificate."""
LEASE: Final = "webgarden-operator"
TOKEN_AUDIENCE: Final = "webgarden-link"


LONGEST_NAME: Final = 36
"""Of a pool's name in the name of what belongs to it: what is appended must fit, or a pod's name loses the revision."""


def shortened(pool: str) -> str:
    return pool[:LONGEST_NAME].rstrip("-.")


def owner(resource: Resource) -> dict[str, Any]:
    """A reference that makes the resource the controller of what carries it."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": resource.metadata.name,
        "uid": resource.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def labels(component: str, **extra: str) -> dict[str, str]:
    return {MANAGED_BY: MANAGER, COMPONENT: component, **extra}
