"""`WebServer`: what is set once for the cluster. There is one, and it is named `default`.

Absent means the built-in defaults, which are `WebServerSpec()`. It owns what the operator makes for the listener, so
that deleting it takes the listener away.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from webgarden.api.conditions import Condition
from webgarden.api.markers import Resources, list_map, list_set, rules, size
from webgarden.api.resource import Count, Part, Resource

NAME = "default"


class ServiceType(StrEnum):
    """Type of the listener's Service."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class AccessLog(StrEnum):
    """Which requests the listener logs."""

    ALL = "All"
    FAILED = "Failed"


_Text = Annotated[str, Field(max_length=4096)]


class ListenerService(Part):
    """The Service in front of the listener."""

    type: ServiceType = ServiceType.CLUSTER_IP
    """ClusterIP, NodePort or LoadBalancer."""
    annotations: Annotated[dict[str, _Text], Field(max_length=64)] = Field(default_factory=dict)
    """Annotations of the Service, for load balancers that are configured by them."""


class ListenerSpec(Part):
    """The pods that accept requests for all sites."""

    replicas: int = Field(default=2, ge=1, le=100)
    """How many there are."""
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], list_set(most=16, least=1)] = (80,)
    """Ports that bindings may name."""
    service: ListenerService = ListenerService()
    """The Service in front of the listener."""
    resources: Resources | None = None
    """Requests and limits of one listener's HAProxy, as in a container. Absent: requests of 100m and 128Mi."""
    threads: int = Field(default=2, ge=1, le=64)
    """Threads of one listener."""
    max_head_size: Annotated[str, BeforeValidator(str), size("16Ki", "1Mi")] = "64Ki"
    """Most bytes of the head of a request or of an answer: its first line and all headers. Memory is
    taken in pieces of this size for each request that is under way."""
    max_head_lines: int = Field(default=200, ge=100, le=1000)
    """Most lines of such a head."""
    access_log: AccessLog = AccessLog.FAILED
    """Failed: requests that the listener refused, that were cut off or tried again, or that got an answer of 500 and
    above. All: every request, which costs throughput."""


class WebServerSpec(Part):
    """What the web server should be."""

    listener: ListenerSpec = ListenerSpec()
    """The pods that accept requests for all sites."""


class WebServerStatus(Part):
    """What the web server is."""

    observed_generation: Count | None = None
    """The generation this status is about."""
    listeners: Count = 0
    """Listeners that are connected to the operator."""
    conditions: Annotated[tuple[Condition, ...], list_map("type", most=16)] = ()
    """What is true of the web server, why, and since when."""


class WebServer(Resource):
    """Settings of the whole cluster: the listener."""

    model_config = ConfigDict(
        json_schema_extra=rules((f"self.metadata.name == '{NAME}'", f"there is one WebServer, and it is named {NAME}"))
    )

    kind: str = "WebServer"
    spec: WebServerSpec = WebServerSpec()
    status: WebServerStatus = WebServerStatus()
