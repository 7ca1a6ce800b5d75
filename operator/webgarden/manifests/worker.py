"""A pool's worker Deployment, one a revision of the pod template.

The template is built in layers: our defaults (restricted Pod Security, no token), then `worker.template`, then the short
form, then what the operator needs (port, labels, environment, grace). Its hash names the revision, so a Deployment's
template never changes: the Deployment's own rolling update deletes pods without asking the listener, and is never used.

`preStop` sleeps 2 s, unless the template brings its own: the time in which a listener hears of a deletion that is not ours
(eviction, node drain) and stops using the pod before the application gets SIGTERM.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webgarden.api.pool import ApplicationPool
from webgarden.manifests import names
from webgarden.manifests.merging import by_name, merge

CONTAINER = "worker"
MOST_THREADS = 1000
"""Of a WSGI application. As many as requests may come at a time, or some would wait in the worker, where nobody counts."""
LONGEST_NAME = 36
"""Of a pool's name in its Deployment's: what Kubernetes appends must fit, or a pod's name loses the revision."""
PRE_STOP_SECONDS = 2
WIND_DOWN_SECONDS = 6
"""What the worker image takes to end its applications when its requests are done or cut."""

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class HostedApplication:
    """What the worker image runs: one application of a site that names this pool."""

    site: str
    path: str
    kind: str
    target: str | None
    root: str | None

    def as_dict(self) -> dict[str, str]:
        fields = {"site": self.site, "path": self.path, "kind": self.kind, "target": self.target, "root": self.root}
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Images:
    worker: str
    pull_policy: str


def pod_template(pool: ApplicationPool, applications: Iterable[HostedApplication], images: Images) -> Manifest:
    """The PodTemplateSpec of the pool, without the revision label, which is its hash."""
    worker = pool.spec.worker
    template = merge(_defaults(images), worker.template or {})
    template = merge(template, {"spec": {"volumes": list(worker.volumes), "containers": [_short_form(pool, images)]}})
    template = merge(template, _imposed(pool, applications))
    container = next(c for c in template["spec"]["containers"] if c["name"] == CONTAINER)
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}, **container.get("lifecycle", {})}
    return template


def _defaults(images: Images) -> Manifest:
    return {
        "metadata": {},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": CONTAINER,
                    "image": images.worker,
                    "imagePullPolicy": images.pull_policy,
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def _short_form(pool: ApplicationPool, images: Images) -> Manifest:
    worker = pool.spec.worker
    container: Manifest = {
        "name": CONTAINER,
        "image": worker.image,
        "command": list(worker.command),
        "args": list(worker.args),
        "env": list(worker.env),
        "envFrom": list(worker.env_from),
        "resources": worker.resources,
        "volumeMounts": list(worker.volume_mounts),
    }
    return {key: value for key, value in container.items() if value}


def _imposed(pool: ApplicationPool, applications: Iterable[HostedApplication]) -> Manifest:
    limit = int(pool.spec.process_model.shutdown_time_limit.total_seconds())
    hosted = sorted((a.as_dict() for a in applications), key=lambda a: (a["site"], a["path"]))
    environment = [
        {"name": "WEBGARDEN_POOL", "value": pool.key},
        {"name": "WEBGARDEN_PORT", "value": str(pool.spec.worker.port)},
        {"name": "WEBGARDEN_SHUTDOWN_SECONDS", "value": str(limit)},
        {"name": "WEBGARDEN_WORKER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    if hosted:
        environment.append({"name": "WEBGARDEN_APPLICATIONS", "value": json.dumps(hosted, sort_keys=True)})
    if any(a["kind"] == "WSGI" for a in hosted) and "WEBGARDEN_THREADS" not in by_name(list(pool.spec.worker.env)):
        threads = min(pool.spec.worker.max_concurrent_requests, MOST_THREADS)
        environment.append({"name": "WEBGARDEN_THREADS", "value": str(threads)})
    labels = names.labels("worker", **{names.POOL: pool.metadata.name, names.ROTATION: "in"})
    return {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": limit + PRE_STOP_SECONDS + WIND_DOWN_SECONDS,
            "containers": [
                {
                    "name": CONTAINER,
                    "env": environment,
                    "ports": [{"name": "http", "containerPort": pool.spec.worker.port}],
                }
            ],
        },
    }


def revision(template: Manifest) -> str:
    """The name of this template: 8 hexadecimal digits."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def has_readiness_probe(template: Manifest) -> bool:
    """Then the pod's own readiness is asked for besides an answer on the port."""
    return "readinessProbe" in by_name(template["spec"]["containers"])[CONTAINER]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    replicas: int
    wanted: int
    scaled_at: datetime


def deployment(pool: ApplicationPool, template: Manifest, scaling: Scaling) -> Manifest:
    """The Deployment of one revision, complete."""
    number = revision(template)
    selector = {names.POOL: pool.metadata.name, names.REVISION: number, names.ROTATION: "in"}
    labelled = merge(template, {"metadata": {"labels": selector}})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{pool.metadata.name[:LONGEST_NAME].rstrip('-.')}-{number}",
            "namespace": pool.metadata.namespace,
            "labels": names.labels("worker", **{names.POOL: pool.metadata.name, names.REVISION: number}),
            "annotations": {
                names.WANTED: str(scaling.wanted),
                names.SCALED_AT: scaling.scaled_at.isoformat(),
            },
            "ownerReferences": [owner(pool)],
        },
        "spec": {
            "replicas": scaling.replicas,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": labelled,
        },
    }


def scale(scaling: Scaling) -> Manifest:
    """A merge patch for a Deployment whose template is there already."""
    return {
        "metadata": {
            "annotations": {names.WANTED: str(scaling.wanted), names.SCALED_AT: scaling.scaled_at.isoformat()},
        },
        "spec": {"replicas": scaling.replicas},
    }


def owner(pool: ApplicationPool) -> Manifest:
    """A reference that makes the pool the controller of what carries it."""
    return {
        "apiVersion": pool.api_version,
        "kind": pool.kind,
        "name": pool.metadata.name,
        "uid": pool.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
