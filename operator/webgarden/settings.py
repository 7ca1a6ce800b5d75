"""Where this operator runs and what it makes: one frozen object, read from the environment at start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class SettingsError(Exception):
    """A variable of the environment is missing or has no sense; the message names it and the cure."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    namespace: str
    """Namespace of the operator and the listener."""
    identity: str
    """Name of this pod: who holds the lease."""
    worker_image: str
    """Image of pools that name none."""
    listener_image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets for the listener's image."""
    health_port: int = 8080
    link_port: int = 8443
    link_service: str = "webgarden-link"
    """Headless Service whose addresses are the operators; the standby does not listen there."""
    workers: int = 8
    """Looks at a time. Each waits for the API server most of its time."""
    web_server: dict[str, Any] | None = None
    """Spec of the WebServer that the chart wants kept; None: somebody else keeps it."""
    resync: float = 300.0
    """Seconds between two looks at everything: the net under a watch that lost something."""
    lease_seconds: int = 10
    """A dead leader is replaced this long after its last renewal; renewals come every 2 s."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        def need(name: str) -> str:
            if not (value := environment.get(name)):
                raise SettingsError(f"{name} is not set: the chart sets it; outside a cluster, export it")
            return value

        def number(name: str, default: int) -> int:
            text = environment.get(name, str(default))
            if not text.isdecimal():
                raise SettingsError(f"{name} must be a whole number, not {text!r}")
            return int(text)

        def spec(name: str) -> dict[str, Any] | None:
            if not (text := environment.get(name)):
                return None
            try:
                value = json.loads(text)
            except ValueError as error:
                raise SettingsError(f"{name} must be a WebServer's spec as JSON: {error}") from error
            if not isinstance(value, dict):
                raise SettingsError(f"{name} must be a WebServer's spec as a JSON object")
            return value

        return cls(
            namespace=need("WEBGARDEN_NAMESPACE"),
            identity=need("WEBGARDEN_POD"),
            worker_image=need("WEBGARDEN_WORKER_IMAGE"),
            listener_image=need("WEBGARDEN_LISTENER_IMAGE"),
            image_pull_policy=environment.get("WEBGARDEN_IMAGE_PULL_POLICY", cls.image_pull_policy),
            health_port=number("WEBGARDEN_HEALTH_PORT", cls.health_port),
            link_port=number("WEBGARDEN_LINK_PORT", cls.link_port),
            image_pull_secrets=tuple(environment.get("WEBGARDEN_IMAGE_PULL_SECRETS", "").split()),
            web_server=spec("WEBGARDEN_WEBSERVER"),
            link_service=environment.get("WEBGARDEN_LINK_SERVICE", cls.link_service),
        )
