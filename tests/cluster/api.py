"""The few requests the driver itself makes, without waiting for kubectl to load."""

import http.client
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

Object = dict[str, Any]


class Api:
    def __init__(self, server: str, *, authority: Path, certificate: Path, key: Path) -> None:
        self._server = server
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
        # No proxies: the apiserver is on this machine.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, path: str) -> Object | None:
        """None as long as there is no such object, or nobody who answers."""
        try:
            return json.loads(self._send("GET", path) or "{}")  # type: ignore[no-any-return]
        except (OSError, http.client.HTTPException):
            return None

    def ready(self) -> bool:
        try:
            return self._send("GET", "/readyz") == "ok"
        except (OSError, http.client.HTTPException):
            return False

    def apply(self, path: str, body: Object) -> None:
        try:
            self._send("PATCH", f"{path}?fieldManager=webgarden-test&force=true", json.dumps(body))
        except OSError as error:
            raise ClusterError(f"cannot apply {path}: {error}") from error

    def _send(self, method: str, path: str, body: str | None = None) -> str:
        request = urllib.request.Request(
            self._server + path,
            method=method,
            data=body.encode() if body else None,
            headers={"Content-Type": "application/apply-patch+yaml"} if body else {},
        )
        with self._opener.open(request, timeout=10) as response:
            text: str = response.read().decode()
            return text
