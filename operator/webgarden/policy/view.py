"""One pool as a policy sees it: what is wished, what there is, and what the listeners say. Frozen, and free of Kubernetes.

Facts that must survive a restart of the operator come from the API (pod labels and annotations, `status`); facts that may
be learnt again come from the link (what serves, what is in flight, when a request was last seen).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a worker goes, or a pool does not serve. Shown in status, Events and the listener's answers."""

    ON_DEMAND = "OnDemand"
    CONFIG_CHANGE = "ConfigChange"
    IDLE_TIMEOUT = "IdleTimeout"
    STOPPED = "StoppedByAdministrator"
    SURPLUS = "MaxProcesses"
    CRASH = "Crash"
    STARTUP_TIME_LIMIT = "StartupTimeLimit"
    SHUTDOWN_TIME_LIMIT = "ShutdownTimeLimit"


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Written on the pod, so that a restart goes on with it. A worker that leaves never comes back to `Running`,
    except by `PutBack`."""

    reason: Reason
    since: datetime
    replace: bool
    """Another worker takes its place (a recycle), or the pool gets smaller."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One entry of `status.failures`. The same worker fails in the same way once."""

    time: datetime
    worker: str
    kind: Reason
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Worker:
    name: str
    revision: str
    created: datetime
    in_rotation: bool = True
    """Its labels match the ReplicaSet's selector, so it counts as a replica."""
    running_since: datetime | None = None
    """When a listener first saw it answer; written on the pod."""
    sought_since: datetime | None = None
    """Since when every connected listener has been looking for its answer; its birth, while it has no address that
    they could look at; None while one of them has not said so."""
    serving: bool = False
    """Every connected listener gives it requests now."""
    terminating: bool = False
    crash: str = ""
    """What the kubelet says of a container that has ended; empty while it runs."""
    trouble: str = ""
    """Why it does not start, in the cluster's words (image, scheduling, crash loop)."""
    leaving: Leaving | None = None
    draining_since: datetime | None = None
    drained: bool = False
    """No listener has a request in it, and every listener has confirmed that."""
    in_flight: int = 0
    last_activity: datetime | None = None

    def active_at(self, begun: datetime) -> datetime:
        """When it last had something to do; `begun` is when this operator began to watch."""
        return max(self.last_activity or begun, self.running_since or begun)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One Deployment of the pool: one pod template."""

    revision: str
    name: str
    """Of the Deployment; the names of its pods begin with it."""
    replicas: int
    wanted: int
    """What the pool wanted when it was last scaled; `replicas` may be less for a moment (recycling without overlap)."""
    scaled_at: datetime
    trouble: str = ""
    """Why pods cannot even be created (quota, admission, an absent ServiceAccount)."""
    hosted: str = ""
    """Name of the ConfigMap with its applications."""


@dataclass(frozen=True, kw_only=True)
class PoolView:
    started: bool
    always_running: bool
    max_processes: int
    concurrency: int
    idle_timeout: timedelta
    startup_time_limit: timedelta
    shutdown_time_limit: timedelta
    overlap: bool
    revision: str
    """The current template's."""
    begun: datetime
    """When this operator began to watch the pool: idle time is not counted from before."""
    revisions: tuple[Revision, ...] = ()
    workers: tuple[Worker, ...] = ()
    failures: tuple[Failure, ...] = ()
    demand: bool = False
    """A request waits and there is no worker."""
    queued: int = 0
    listeners_complete: bool = True
    """Every listener that is alive is connected: nobody may be giving out requests that we do not hear of."""
    recycle_before: datetime | None = None
    """Workers born before this moment are to be recycled when it has come, by an administrator's wish."""
    recycle_worker: str = ""
    """Only this one, if set."""

    @property
    def current(self) -> Revision | None:
        return next((r for r in self.revisions if r.revision == self.revision), None)

    @property
    def rotation(self) -> tuple[Worker, ...]:
        """Workers that count as replicas and are not on their way out."""
        return tuple(w for w in self.workers if w.in_rotation and not w.terminating and w.leaving is None)

    @property
    def fresh(self) -> tuple[Worker, ...]:
        """Those of the rotation that have the current template."""
        return tuple(w for w in self.rotation if w.revision == self.revision)

    @property
    def outdated(self) -> tuple[Worker, ...]:
        return tuple(w for w in self.rotation if w.revision != self.revision)

    @property
    def running(self) -> tuple[Worker, ...]:
        return tuple(w for w in self.rotation if w.running_since is not None)

    @property
    def able(self) -> tuple[Worker, ...]:
        """Those that serve, or will again: one that is being replaced goes on until its replacement is there."""
        staying = (w for w in self.workers if w.leaving is None or w.leaving.replace)
        return tuple(w for w in staying if w.running_since is not None and not w.terminating and not w.crash)

    @property
    def wanted(self) -> int:
        """How many workers were wanted at the last look: the memory of demand, kept on the Deployment."""
        if self.current is not None and (self.current.wanted or not self.outdated):
            return self.current.wanted
        return max((r.wanted for r in self.revisions), default=0)
