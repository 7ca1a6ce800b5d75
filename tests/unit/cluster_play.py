"""A cluster that is played in virtual time: ReplicaSets, pods and listeners around the pure decision about one pool.

It keeps the rules that matter: a ReplicaSet makes missing pods, takes surplus ones away (those that do not serve first, then
the youngest), adopts what matches; a pod answers `start` seconds after it was made; a listener confirms a drain when its
requests are done. After each step it checks what must never happen: a worker that serves, and was not drained, is not ended
by us, unless it crashed or its time limit was over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from webgarden.policy import (
    Decision,
    Discard,
    Fail,
    Failure,
    Leaving,
    PoolView,
    PutBack,
    Reason,
    Recycled,
    Retire,
    Revision,
    TakeOut,
    Worker,
    decide,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

VIEW = PoolView(
    started=True,
    always_running=False,
    max_processes=1,
    concurrency=10,
    idle_timeout=timedelta(minutes=20),
    startup_time_limit=timedelta(seconds=90),
    shutdown_time_limit=timedelta(seconds=90),
    overlap=True,
    revision="one",
    begun=START,
)


@dataclass
class Pod:
    name: str
    revision: str
    created: datetime
    starts: bool = True
    in_rotation: bool = True
    running_since: datetime | None = None
    leaving: Leaving | None = None
    draining_since: datetime | None = None
    in_flight: int = 0
    last_activity: datetime | None = None
    crash: str = ""
    gone_at: datetime | None = None


@dataclass
class Play:
    view: PoolView = VIEW
    start: timedelta = SECOND
    stop: timedelta = timedelta(seconds=2)
    now: datetime = START
    pods: list[Pod] = field(default_factory=list)
    revisions: dict[str, Revision] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    recycles: list[Recycled] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Revisions whose pods never answer."""
    quota: int = 1_000
    """Most pods that are not being deleted."""
    half_reached: set[str] = field(default_factory=set)
    """Pods that answer one listener and not the other."""
    listening: bool = True
    """There is a listener that looks for new workers."""
    demand: bool = False
    queued: int = 0
    most: int = 0
    """Most pods at a time."""
    least_serving: int = 1_000
    serial: int = 0
    decision: Decision | None = None

    @property
    def alive(self) -> list[Pod]:
        return [p for p in self.pods if p.gone_at is None]

    @property
    def serving(self) -> list[Pod]:
        return [p for p in self.alive if p.running_since is not None and not p.crash and p.draining_since is None]

    def set(self, **fields: object) -> None:
        self.view = replace(self.view, **fields)  # type: ignore[arg-type]

    def look(self) -> PoolView:
        return replace(
            self.view,
            revisions=tuple(self.revisions.values()),
            workers=tuple(self._worker(p) for p in self.pods),
            failures=tuple(self.failures),
            demand=self.demand,
            queued=self.queued,
        )

    def _worker(self, pod: Pod) -> Worker:
        up = pod.running_since is not None and pod.gone_at is None and not pod.crash
        return Worker(
            name=pod.name,
            revision=pod.revision,
            created=pod.created,
            in_rotation=pod.in_rotation,
            running_since=pod.running_since,
            sought_since=pod.created if self.listening else None,
            serving=up and pod.draining_since is None and pod.name not in self.half_reached,
            terminating=pod.gone_at is not None,
            crash=pod.crash,
            leaving=pod.leaving,
            draining_since=pod.draining_since,
            drained=pod.draining_since is not None and not pod.in_flight,
            in_flight=pod.in_flight,
            last_activity=pod.last_activity,
        )

    def run(self, seconds: float, *, step: float = 0.5) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.step()
            self.now += timedelta(seconds=step)

    def step(self) -> None:
        view = self.look()
        decision = self.decision = decide(view, self.now)
        for pod in self.alive:
            drained = pod.name in decision.drained
            pod.draining_since = (pod.draining_since or self.now) if drained else None
        self._act(view, decision)
        self._replica_sets()
        self._kubelet()
        if self.pods:
            self.most = max(self.most, len(self.pods))
            self.least_serving = min(self.least_serving, len(self.serving))

    def _pod(self, name: str) -> Pod:
        return next(p for p in self.pods if p.name == name)

    def _act(self, view: PoolView, decision: Decision) -> None:
        for action in decision.actions:
            match action:
                case Fail(worker, kind, message, since):
                    if not any(f.worker == worker and f.kind is kind and f.time >= since for f in self.failures):
                        self.failures.append(Failure(time=self.now, worker=worker, kind=kind, message=message))
                case TakeOut(worker, reason, replaced):
                    pod = self._pod(worker)
                    pod.in_rotation = False
                    pod.leaving = Leaving(reason=reason, since=self.now, replace=replaced)
                case PutBack(worker):
                    pod = self._pod(worker)
                    pod.in_rotation, pod.leaving = True, None
                case Recycled():
                    self.recycles.append(action)
                    if action.failed:
                        self.set(recycle_before=None)  # as the record in the status does
                case Retire(worker, reason, replaced):
                    pod = self._pod(worker)
                    pod.leaving = pod.leaving or Leaving(reason=reason, since=self.now, replace=replaced)
                    if decision.replicas[pod.revision] and pod.running_since is not None:
                        pod.in_rotation = False
        self._scale(view, decision)
        for action in decision.actions:
            if isinstance(action, Discard) or (isinstance(action, Retire) and not self._pod(action.worker).in_rotation):
                self._delete(self._pod(action.worker), view)

    def _scale(self, view: PoolView, decision: Decision) -> None:
        for number, count in decision.replicas.items():
            known = self.revisions.get(number)
            wanted = decision.wanted if number == view.revision else count
            grown = known is None or count > known.replicas
            scaled = self.now if grown or known is None else known.scaled_at
            self.revisions[number] = Revision(
                revision=number, name=f"pool-{number}", replicas=count, wanted=wanted, scaled_at=scaled
            )
        for number in [n for n in self.revisions if n != view.revision]:
            if not self.revisions[number].replicas and not any(p.revision == number for p in self.alive):
                del self.revisions[number]

    def _delete(self, pod: Pod, view: PoolView) -> None:
        if pod.gone_at is not None:
            return
        overdue = pod.draining_since is not None and self.now - pod.draining_since >= view.shutdown_time_limit
        safe = pod.running_since is None or pod.crash or overdue or (pod.draining_since and not pod.in_flight)
        assert safe, f"{pod.name} was deleted although it may have had a request"
        pod.gone_at = self.now + self.stop

    def _replica_sets(self) -> None:
        for number, revision in self.revisions.items():
            mine = [p for p in self.alive if p.revision == number and p.in_rotation]
            for _ in range(min(revision.replicas - len(mine), self.quota - len(self.alive))):
                self.serial += 1
                self.pods.append(Pod(f"pool-{number}-{self.serial}", number, self.now))
            order = sorted(mine, key=lambda p: (p.running_since is not None, -p.created.timestamp()))
            for pod in order[: max(0, len(mine) - revision.replicas)]:
                self._delete(pod, self.view)

    def _kubelet(self) -> None:
        self.pods = [p for p in self.pods if p.gone_at is None or p.gone_at > self.now]
        for pod in self.alive:
            if pod.running_since is None and pod.revision not in self.broken and self.now - pod.created >= self.start:
                pod.running_since = self.now
                self.demand, self.queued = False, 0

    def failed(self, kind: Reason) -> int:
        return sum(f.kind is kind for f in self.failures)


def warm(**fields: object) -> Play:
    """A pool whose workers all run."""
    play = Play()
    play.set(**fields)
    play.demand = True
    play.run(2)
    for _ in range(play.view.max_processes):
        play.queued = play.view.concurrency * play.view.max_processes
        play.run(2)
    assert len(play.serving) == play.view.max_processes
    play.queued = play.most = 0
    play.least_serving = 1_000
    return play
