"""`ApplicationPool`: one group of worker pods behind one request queue.

`spec.state` is filled in when it is absent, from `autoStart`: so "a new pool begins Stopped until somebody starts it"
needs no memory of whether the pool is new, and holds after any restart of the operator. In the CRD the field therefore
has no default. A status must fit the limits of its schema; sentences and reasons are clipped when they are set, the
lists are the caller's affair.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from webgarden.api.conditions import Condition
from webgarden.api.duration import Duration, Limit, parse
from webgarden.api.markers import (
    Anything,
    Json,
    Mount,
    Named,
    Resources,
    atomic,
    free_form,
    list_map,
    rules,
    text,
)
from webgarden.api.resource import Count, Message, Name, Part, Reason, Resource, Time

MAX_WORKERS = 2000
"""Most `status.workers`: `maxProcesses` at its most, each with its replacement."""
MAX_FAILURES = 100
"""Most `status.failures`."""


class WantedState(StrEnum):
    """What the administrator wishes."""

    STARTED = "Started"
    STOPPED = "Stopped"


class StartMode(StrEnum):
    """When the first worker starts."""

    ON_DEMAND = "OnDemand"
    ALWAYS_RUNNING = "AlwaysRunning"


class PoolState(StrEnum):
    """Where the pool is."""

    STARTING = "Starting"
    STARTED = "Started"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class WorkerState(StrEnum):
    """Where a worker is in its life."""

    STARTING = "Starting"
    RUNNING = "Running"
    DRAINING = "Draining"
    STOPPING = "Stopping"


_VARIABLES: Json = {
    "type": "array",
    "maxItems": 1000,
    "items": free_form("name", name=text(1024)),
    "x-kubernetes-list-type": "atomic",
}
_CONTAINERS: Json = {
    "type": "array",
    "maxItems": 32,
    "items": free_form("name", name=text(63), env=_VARIABLES, lifecycle=free_form()),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
_POD_SPEC = free_form(
    containers=_CONTAINERS,
    restartPolicy={"type": "string", "enum": ["Always"]},
    terminationGracePeriodSeconds={"type": "integer"},
)
_LABELS: Json = {"type": "object", "maxProperties": 64, "additionalProperties": {"type": "string", "maxLength": 63}}
_TEMPLATE = free_form(metadata=free_form(labels=_LABELS), spec=_POD_SPEC) | rules(
    (
        "!has(self.spec) || !has(self.spec.terminationGracePeriodSeconds)",
        "the grace period of a worker is processModel.shutdownTimeLimit",
    )
)
PodTemplate = Annotated[Json, WithJsonSchema(_TEMPLATE)]
_Argument = Annotated[str, Field(max_length=32768)]


class WorkerSpec(Part):
    """The worker process: one container, in short form or as a whole pod template."""

    image: str | None = Field(default=None, min_length=1, max_length=1024)
    """Image of the worker. Absent: the worker image of this release, which runs the applications of the sites."""
    port: int = Field(default=8080, ge=1, le=65535)
    """Where the worker takes HTTP."""
    command: Annotated[tuple[_Argument, ...], atomic(most=256)] = ()
    """Entry point, instead of the image's."""
    args: Annotated[tuple[_Argument, ...], atomic(most=256)] = ()
    """Arguments, instead of the image's."""
    env: Annotated[tuple[Named, ...], list_map("name", most=1000)] = ()
    """Environment variables, as in a container."""
    env_from: Annotated[tuple[Anything, ...], atomic(most=100)] = ()
    """Sources of environment variables, as in a container."""
    resources: Resources | None = None
    """Requests and limits of one worker, as in a container."""
    volumes: Annotated[tuple[Named, ...], list_map("name", most=100)] = ()
    """Volumes, as in a pod."""
    volume_mounts: Annotated[tuple[Mount, ...], list_map("mountPath", most=100)] = ()
    """Where the worker's container sees them."""
    template: PodTemplate | None = None
    """A PodTemplateSpec for everything else. The fields above are laid over its container named `worker`."""
    max_concurrent_requests: int = Field(default=100, ge=1, le=100_000)
    """Most requests in one worker at a time; the rest wait in the pool's queue."""


class ProcessModel(Part):
    """How many workers there are and how long they live without work."""

    idle_timeout: Duration = parse("20m")
    """A worker without a request for this long is stopped. `0s`: never."""
    max_processes: int = Field(default=1, ge=1, le=1000)
    """Most workers at a time: more than one is a web garden. `kubectl scale` sets it."""
    startup_time_limit: Limit = parse("90s")
    """A worker that does not answer on its port this long after its start has failed."""
    shutdown_time_limit: Limit = parse("90s")
    """How long a worker that is taken out may finish its requests before they are cut."""


class Recycling(Part):
    """How a worker is replaced."""

    disallow_overlapping_rotation: bool = False
    """True: the old worker is gone before the new one starts, for applications that cannot run twice. Requests wait."""


def _without_default(schema: Json) -> None:
    schema.pop("default", None)


class ApplicationPoolSpec(Part):
    """What the pool should be."""

    state: WantedState = Field(default=WantedState.STARTED, json_schema_extra=_without_default)
    """Started or Stopped. Absent: Started, or Stopped when `autoStart` is false."""
    auto_start: bool = True
    """False: the pool stays Stopped until `state` says Started."""
    start_mode: StartMode = StartMode.ON_DEMAND
    """OnDemand: the first request starts a worker. AlwaysRunning: workers start with the pool."""
    queue_length: int = Field(default=1000, ge=10, le=65535)
    """Most requests that wait for this pool; further ones are answered 503 at once."""
    worker: WorkerSpec = WorkerSpec()
    """The worker process."""
    process_model: ProcessModel = ProcessModel()
    """How many workers there are and how long they live without work."""
    recycling: Recycling = Recycling()
    """How a worker is replaced."""

    @model_validator(mode="before")
    @classmethod
    def _absent_state_follows_auto_start(cls, data: Any) -> Any:  # noqa: ANN401 (pydantic's signature)
        if not isinstance(data, dict) or data.get("state") is not None:
            return data
        automatic = data.get("autoStart", data.get("auto_start", True))
        return data | {"state": WantedState.STOPPED if automatic is False else WantedState.STARTED}


class WorkerStatus(Part):
    """One worker, which is one pod."""

    name: Name
    """The pod's name."""
    state: WorkerState
    """Starting, Running, Draining (finishes its requests) or Stopping (is being deleted)."""
    reason: Reason = ""
    """Why it is in this state."""
    start_time: Time | None = None
    """When the pod was created."""
    address: Name = ""
    """IP address of the pod."""
    requests: Count = 0
    """Requests served since its start."""
    in_flight: Count = 0
    """Requests it works on now."""
    last_request_time: Time | None = None
    """When it last had a request."""


class LastRecycle(Part):
    """How the last recycling went."""

    time: Time
    """When it ended."""
    worker: Name = ""
    """The worker that was replaced."""
    reason: Reason = ""
    """Why it was replaced."""
    result: Reason = ""
    """How it ended."""
    request: Name = ""
    """Value of the annotation that asked for it."""


class Failure(Part):
    """A worker that failed."""

    time: Time
    """When."""
    worker: Name = ""
    """Which."""
    kind: Reason
    """How, as one CamelCase word."""
    message: Message = ""
    """How, as a sentence."""


class QueueStatus(Part):
    """The pool's request queue, over all listeners."""

    length: Count = 0
    """Requests that wait now."""
    rejected: Count = 0
    """Requests that were refused because the queue was full or the wait too long."""


class ApplicationPoolStatus(Part):
    """What the pool is."""

    observed_generation: Count | None = None
    """The generation this status is about."""
    state: PoolState | None = None
    """Starting, Started, Stopping or Stopped. A Started pool may have no worker: the next request starts one."""
    reason: Reason = ""
    """Why it is in this state."""
    replicas: Count = 0
    """Workers that exist."""
    ready_replicas: Count = 0
    """Workers that can serve."""
    selector: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 1024})] = ""
    """Label selector of the worker pods, for the scale subresource."""
    workers: Annotated[tuple[WorkerStatus, ...], list_map("name", most=MAX_WORKERS)] = ()
    """The workers."""
    recycles: Count = 0
    """How many workers have been replaced."""
    last_recycle: LastRecycle | None = None
    """The last one."""
    failures: Annotated[tuple[Failure, ...], atomic(most=MAX_FAILURES)] = ()
    """Workers that failed lately, the newest last."""
    queue: QueueStatus = QueueStatus()
    """The request queue."""
    conditions: Annotated[tuple[Condition, ...], list_map("type", most=16)] = ()
    """What is true of the pool, why, and since when."""


class ApplicationPool(Resource):
    """A pool of workers that starts on demand, recycles without losing a request and sleeps when idle."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.metadata.name.size() <= 63", "the name of a pool is also a label of its pods: at most 63 characters")
        )
    )

    kind: str = "ApplicationPool"
    spec: ApplicationPoolSpec = ApplicationPoolSpec()
    status: ApplicationPoolStatus = ApplicationPoolStatus()
