"""What sites give a pool's workers to host, and how it gets to them: a file in a ConfigMap that the pool owns.

An environment variable ends at 128 KiB, which 900 sites exceed; a ConfigMap ends at 1 MiB. It is named by a digest of what
is in it and never changes, and the pod template names it. So a worker hosts exactly what its template says, a change of the
applications is a change of the template, and one that does not start leaves the workers before it as they are. What a site
says that is none of the worker's business (its bindings, applications of other pools) is not in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webgarden.api.pool import ApplicationPool
from webgarden.api.site import App
from webgarden.manifests import names

Manifest = dict[str, Any]

FILE = "applications.json"
DIRECTORY = "/etc/webgarden/applications"
VOLUME = "webgarden-applications"
LARGEST = 1024 * 1024
"""Bytes in a ConfigMap, as Kubernetes has it."""


@dataclass(frozen=True, kw_only=True)
class HostedApplication:
    """What the worker image runs: one application of a site that names this pool."""

    site: str
    path: str
    app: App

    def as_dict(self) -> Manifest:
        """As the worker reads it."""
        app = self.app
        fields: Manifest = {
            "site": self.site,
            "path": self.path,
            "kind": app.kind,
            "target": app.target,
            "root": app.root,
        }
        if app.cgi is not None:
            fields["cgi"] = {
                "timeoutSeconds": app.cgi.timeout.total_seconds(),
                "handlers": {h.path.removeprefix("*"): h.script_processor for h in app.cgi.handlers},
            }
        return {name: value for name, value in fields.items() if value is not None}


def config_map(pool: ApplicationPool, applications: Iterable[HostedApplication]) -> Manifest | None:
    """None when there is nothing to host."""
    hosted = sorted((a.as_dict() for a in applications), key=lambda a: (a["site"], a["path"]))
    if not hosted:
        return None
    text = json.dumps(hosted, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{names.shortened(pool.metadata.name)}-{digest}",
            "namespace": pool.metadata.namespace,
            "labels": names.labels("worker", **{names.POOL: pool.metadata.name}),
            "ownerReferences": [names.owner(pool)],
        },
        "immutable": True,
        "data": {FILE: text},
    }


def too_large(made: Manifest) -> str:
    """Why no worker can have this file, or nothing."""
    size = len(made["data"][FILE])
    if size <= LARGEST:
        return ""
    return (
        f"the applications that sites give to this pool are {size} bytes, and a ConfigMap holds {LARGEST}: "
        "divide the sites among several pools. Workers go on with the applications they have"
    )


def mounted_in(template: Manifest) -> str:
    """Name of the ConfigMap that a pod template, ours or the API server's, mounts; empty for none."""
    volumes = template["spec"].get("volumes") or []
    return next((str(v["configMap"]["name"]) for v in volumes if v["name"] == VOLUME), "")
