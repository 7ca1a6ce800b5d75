"""The listener's Deployment, Service, ServiceAccount and disruption budget, all owned by the WebServer.

HAProxy and its agent are two containers of one image that share a directory in memory, so that each can die alone; what dies
is started again inside its container, where no back-off of the kubelet delays it. HAProxy listens above 1024 (it has no
privileges); the Service maps the ports that sites name. Nothing in the pod has a credential of Kubernetes but the token for
the link, which is good for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubernetes.utils import parse_quantity

from webgarden.api.webserver import WebServer
from webgarden.manifests import names

Manifest = dict[str, Any]

FIRST_PORT = 10_000
HAPROXY = "haproxy"
AGENT = "agent"
HOOKS = {HAPROXY: "leave", AGENT: "stay"}
"""What a container does before it is ended: an agent that is restarted alone must not make the listener leave."""
HEALTH_PORT = 8404
AGENT_HEALTH_PORT = 8405
DIRECTORY = "/run/webgarden"
LINK_DIRECTORY = "/etc/webgarden/link"
LINGER_SECONDS = 5
"""A leaving listener still accepts connections: until every kube-proxy has heard of it."""
GRACE_SECONDS = 120
TOKEN_SECONDS = 3600
SELECTOR = {names.COMPONENT: "listener", names.MANAGED_BY: names.MANAGER}
USER = 65532
HAPROXY_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}}
"""When the WebServer names none. More than the agent has, since a busy node shares its time by these."""
AGENT_RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}}
"""What it takes at rest."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the listener must know of the operator that makes it."""

    namespace: str
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...] = ()
    link_url: str


def objects(server: WebServer, place: Place) -> Iterable[Manifest]:
    """In the order in which they are applied."""
    yield _object(server, place, "v1", "ServiceAccount", {"automountServiceAccountToken": False})
    yield _object(server, place, "v1", "Service", {"spec": _service(server)}, server.spec.listener.service.annotations)
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    yield _object(server, place, "policy/v1", "PodDisruptionBudget", {"spec": budget})
    yield _object(server, place, "apps/v1", "Deployment", {"spec": _deployment(server, place)})


def _object(
    server: WebServer, place: Place, version: str, kind: str, rest: Manifest, annotations: dict[str, str] | None = None
) -> Manifest:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": names.LISTENER,
            "namespace": place.namespace,
            "labels": names.labels("listener"),
            "annotations": dict(annotations or {}),
            "ownerReferences": [owner(server)],
        },
        **rest,
    }


def owner(server: WebServer) -> Manifest:
    return {
        "apiVersion": server.api_version,
        "kind": server.kind,
        "name": server.metadata.name,
        "uid": server.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _ports(server: WebServer) -> dict[int, int]:
    """Port of a binding -> port of the container."""
    return {port: FIRST_PORT + i for i, port in enumerate(sorted(server.spec.listener.ports))}


def _service(server: WebServer) -> Manifest:
    return {
        "type": server.spec.listener.service.type,
        "selector": SELECTOR,
        "ports": [{"name": f"http-{p}", "port": p, "targetPort": f"http-{p}"} for p in _ports(server)],
    }


def _deployment(server: WebServer, place: Place) -> Manifest:
    return {
        "replicas": server.spec.listener.replicas,
        "revisionHistoryLimit": 3,
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": SELECTOR},
        "template": {"metadata": {"labels": names.labels("listener")}, "spec": _pod(server, place)},
    }


def _pod(server: WebServer, place: Place) -> Manifest:
    return {
        "serviceAccountName": names.LISTENER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
        "terminationGracePeriodSeconds": LINGER_SECONDS + GRACE_SECONDS + 15,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": SELECTOR},
            }
        ],
        "containers": [_haproxy(server, place), _agent(server, place)],
        "volumes": [
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "link", "projected": {"sources": _link_files()}},
        ],
    }


def _link_files() -> list[Manifest]:
    return [
        {
            "serviceAccountToken": {
                "audience": names.TOKEN_AUDIENCE,
                "expirationSeconds": TOKEN_SECONDS,
                "path": "token",
            }
        },
        {"configMap": {"name": names.AUTHORITY, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]


def _haproxy(server: WebServer, place: Place) -> Manifest:
    given = server.spec.listener.resources
    return {
        **_container(HAPROXY, server, place),
        "ports": [
            *({"name": f"http-{p}", "containerPort": c} for p, c in _ports(server).items()),
            {"name": "health", "containerPort": HEALTH_PORT},
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "health"}, "periodSeconds": 1},
        "livenessProbe": _liveness("health"),
        "resources": HAPROXY_RESOURCES if given is None else given,
    }


def _agent(server: WebServer, place: Place) -> Manifest:
    return {
        **_container(AGENT, server, place),
        "ports": [{"name": "agent-health", "containerPort": AGENT_HEALTH_PORT}],
        "livenessProbe": _liveness("agent-health"),
        "resources": AGENT_RESOURCES,
    }


def _liveness(port: str) -> Manifest:
    return {
        "httpGet": {"path": "/healthz", "port": port},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
        "initialDelaySeconds": 10,
    }


def _container(name: str, server: WebServer, place: Place) -> Manifest:
    return {
        "name": name,
        "image": place.image,
        "imagePullPolicy": place.pull_policy,
        "command": ["webgarden-listener", name],
        "env": _environment(server, place),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "run", "mountPath": DIRECTORY},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "link", "mountPath": LINK_DIRECTORY, "readOnly": True},
        ],
        "lifecycle": {"preStop": {"exec": {"command": ["webgarden-listener", HOOKS[name]]}}},
    }


def _environment(server: WebServer, place: Place) -> list[Manifest]:
    spec = server.spec.listener
    fixed = {
        "WEBGARDEN_DIRECTORY": DIRECTORY,
        "WEBGARDEN_PORTS": ",".join(f"{p}:{c}" for p, c in _ports(server).items()),
        "WEBGARDEN_THREADS": str(spec.threads),
        "WEBGARDEN_ACCESS_LOG": spec.access_log,
        "WEBGARDEN_HEAD_SIZE": str(int(parse_quantity(spec.max_head_size))),
        "WEBGARDEN_HEAD_LINES": str(spec.max_head_lines),
        "WEBGARDEN_HEALTH_PORT": str(HEALTH_PORT),
        "WEBGARDEN_AGENT_HEALTH_PORT": str(AGENT_HEALTH_PORT),
        "WEBGARDEN_LINK_URL": place.link_url,
        "WEBGARDEN_LINK_CA": f"{LINK_DIRECTORY}/ca.crt",
        "WEBGARDEN_TOKEN_FILE": f"{LINK_DIRECTORY}/token",
        "WEBGARDEN_LINGER": str(LINGER_SECONDS),
        "WEBGARDEN_GRACE": str(GRACE_SECONDS),
    }
    listener: Manifest = {"name": "WEBGARDEN_LISTENER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [*({"name": name, "value": value} for name, value in fixed.items()), listener]
