"""The API server as a test uses it: dicts in and out, one connection for all threads, nothing generated.

`kubectl` is left to the tests that are about it: a process for every look would cost more than what is looked at.
A connection that the API server closed is opened again once; a request that fails otherwise raises `ApiError`.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

Body = dict[str, Any]
MANAGER = "webgarden-e2e"
_TIMEOUT = 30.0
_WEBGARDEN = "apis/webgarden.dev/v1alpha1"
PLURALS = {
    "ApplicationPool": (_WEBGARDEN, "applicationpools"),
    "Site": (_WEBGARDEN, "sites"),
    "WebServer": (_WEBGARDEN, "webservers"),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ConfigMap": ("api/v1", "configmaps"),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "Event": ("api/v1", "events"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
    "Namespace": ("api/v1", "namespaces"),
    "Pod": ("api/v1", "pods"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "ResourceQuota": ("api/v1", "resourcequotas"),
    "Secret": ("api/v1", "secrets"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
}


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Access:
    """What a kubeconfig says about the cluster of its current context."""

    server: str
    context: ssl.SSLContext
    token: str = ""


def access(kubeconfig: Path) -> Access:
    said = yaml.safe_load(kubeconfig.read_text())
    name = said["current-context"]
    context = next(c["context"] for c in said["contexts"] if c["name"] == name)
    cluster = next(c["cluster"] for c in said["clusters"] if c["name"] == context["cluster"])
    user = next(u["user"] for u in said["users"] if u["name"] == context["user"])
    trusted = ssl.create_default_context(cadata=_text(cluster, "certificate-authority", kubeconfig) or None)
    if certificate := _text(user, "client-certificate", kubeconfig):
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            pem.write(certificate + "\n" + _text(user, "client-key", kubeconfig))
            pem.flush()
            trusted.load_cert_chain(pem.name)
    return Access(cluster["server"], trusted, user.get("token", ""))


def _text(part: Body, name: str, kubeconfig: Path) -> str:
    if data := part.get(f"{name}-data"):
        return base64.b64decode(data).decode()
    return (kubeconfig.parent / part[name]).read_text() if name in part else ""


def path(kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    prefix, plural = PLURALS[kind]
    inside = ("namespaces", namespace) if namespace else ()
    return "/" + "/".join(part for part in (prefix, *inside, plural, name, subresource) if part)


class Kubernetes:
    def __init__(self, given: Access) -> None:
        server = urlsplit(given.server)
        assert server.hostname
        self._access = given
        self._connection = http.client.HTTPSConnection(
            server.hostname, server.port, context=given.context, timeout=_TIMEOUT
        )
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def get(self, kind: str, name: str, namespace: str = "") -> Body | None:
        try:
            return self.request("GET", path(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Body]:
        query = "?" + urlencode({"labelSelector": labels}) if labels else ""
        found: list[Body] = self.request("GET", path(kind, namespace) + query)["items"]
        return found

    def apply(self, body: Body) -> Body:
        """Server-side, as one manager that wins."""
        metadata = body["metadata"]
        where = path(body["kind"], metadata.get("namespace", ""), metadata["name"])
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        return self.request("PATCH", f"{where}?{query}", body, "application/apply-patch+yaml")

    def patch(self, kind: str, name: str, namespace: str, body: Body) -> Body:
        return self.request("PATCH", path(kind, namespace, name), body, "application/merge-patch+json")

    def delete(self, kind: str, name: str, namespace: str = "", *, grace_seconds: int | None = None) -> None:
        """Absent already is as good."""
        options = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        try:
            self.request("DELETE", path(kind, namespace, name), {"propagationPolicy": "Background", **options})
        except ApiError as error:
            if error.code != 404:
                raise

    def logs(self, pod: str, namespace: str) -> str:
        status, text = self._send("GET", path("Pod", namespace, pod, "log"), None, "")
        return text if status == 200 else ""

    def request(self, method: str, url: str, body: Body | None = None, kind: str = "application/json") -> Body:
        """Raises `ApiError` when the API server says no, `OSError` when it cannot be reached."""
        status, text = self._send(method, url, json.dumps(body) if body is not None else None, kind)
        answer: Body = json.loads(text) if text.startswith("{") else {"message": text}
        if status >= 300:
            raise ApiError(status, answer.get("message", ""))
        return answer

    def _send(self, method: str, url: str, body: str | None, kind: str) -> tuple[int, str]:
        with self._one_at_a_time:
            try:
                return self._exchange(method, url, body, kind)
            except (OSError, http.client.HTTPException):
                self._connection.close()
            try:
                return self._exchange(method, url, body, kind)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise ConnectionError(f"the API server: {error!r}") from error

    def _exchange(self, method: str, url: str, body: str | None, kind: str) -> tuple[int, str]:
        self._connection.request(method, url, body, self._headers(kind))
        response = self._connection.getresponse()
        return response.status, response.read().decode(errors="replace")

    def _headers(self, kind: str) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self._access.token}"} if self._access.token else {}
        return {"Content-Type": kind, **token}


def condition(body: Body | None, kind: str) -> Body:
    """The condition of that type, or one that says nothing."""
    found = ((body or {}).get("status") or {}).get("conditions") or []
    return next((c for c in found if c["type"] == kind), {"status": "", "reason": "", "message": ""})


def environment(pod: Body, container: str) -> dict[str, str]:
    """What is written in a container's environment; variables that come from elsewhere are empty."""
    variables = next(c["env"] for c in pod["spec"]["containers"] if c["name"] == container)
    return {v["name"]: v.get("value", "") for v in variables}
