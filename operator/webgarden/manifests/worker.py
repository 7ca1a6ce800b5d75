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
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webgarden.api.pool import ApplicationPool
from webgarden.manifests import applications, names
from webgarden.manifests.merging import by_name, merge

CONTAINER = "worker"
MOST_THREADS = 1000
"""Of the worker image. As many as requests may come at a time, or some would wait in the worker, where nobody counts."""
PRE_STOP_SECONDS = 2
WIND_DOWN_SECONDS = 6
"""What the worker image takes to end its applications when its requests are done or cut."""

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Images:
    worker: str
    pull_policy: str


def pod_template(pool: ApplicationPool, hosted: Manifest | None, images: Images) -> Manifest:
    """The PodTemplateSpec of the pool, without the revision label, which is its hash. `hosted`: the ConfigMap with the
    applications."""
    worker = pool.spec.worker
    template = merge(_defaults(images), worker.template or {})
    template = merge(template, {"spec": {"volumes": list(worker.volumes), "containers": [_short_form(pool, images)]}})
    template = merge(template, _imposed(pool))
    if hosted is not None:
        template = merge(template, _hosting(pool, hosted))
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


def _imposed(pool: ApplicationPool) -> Manifest:
    limit = int(pool.spec.process_model.shutdown_time_limit.total_seconds())
    environment = [
        {"name": "WEBGARDEN_POOL", "value": pool.key},
        {"name": "WEBGARDEN_PORT", "value": str(pool.spec.worker.port)},
        {"name": "WEBGARDEN_SHUTDOWN_SECONDS", "value": str(limit)},
        {"name": "WEBGARDEN_WORKER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    labels = names.labels("worker", **{names.POOL: pool.metadata.name, names.ROTATION: "in"})
    ports = [{"name": "http", "containerPort": pool.spec.worker.port}]
    return {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": limit + PRE_STOP_SECONDS + WIND_DOWN_SECONDS,
            "containers": [{"name": CONTAINER, "env": environment, "ports": ports}],
        },
    }


def _hosting(pool: ApplicationPool, hosted: Manifest) -> Manifest:
    environment = [{"name": "WEBGARDEN_APPLICATIONS", "value": f"{applications.DIRECTORY}/{applications.FILE}"}]
    if "WEBGARDEN_THREADS" not in by_name(list(pool.spec.worker.env)):
        threads = min(pool.spec.worker.max_concurrent_requests, MOST_THREADS)
        environment.append({"name": "WEBGARDEN_THREADS", "value": str(threads)})
    mount = {"name": applications.VOLUME, "mountPath": applications.DIRECTORY, "readOnly": True}
    return {
        "spec": {
            "volumes": [{"name": applications.VOLUME, "configMap": {"name": hosted["metadata"]["name"]}}],
            "containers": [{"name": CONTAINER, "env": environment, "volumeMounts": [mount]}],
        }
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
            "name": f"{names.shortened(pool.metadata.name)}-{number}",
            "namespace": pool.metadata.namespace,
            "labels": names.labels("worker", **{names.POOL: pool.metadata.name, names.REVISION: number}),
            "annotations": {
                names.WANTED: str(scaling.wanted),
                names.SCALED_AT: scaling.scaled_at.isoformat(),
            },
            "ownerReferences": [names.owner(pool)],
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
