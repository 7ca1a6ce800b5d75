"""Carrying out a decision on the cluster, in an order that is safe to be cut off at any line.

Pods first, then replicas, then deletions. A pod that stays in its Deployment while others go is relabelled out before the
replicas are lowered, since Kubernetes would pick its own victim; the ReplicaSet may make an extra pod in between, and takes
that one away again (pods that are not ready go first). When all of a Deployment's workers go, its replicas become 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webgarden.api.pool import ApplicationPool
from webgarden.manifests import names
from webgarden.manifests.applications import too_large
from webgarden.manifests.worker import Scaling, deployment, scale
from webgarden.policy import Decision, Discard, Leaving, PoolView, PutBack, Reason, Retire, Revision, TakeOut, Worker
from webgarden.reconcile import events, observing
from webgarden.reconcile.ports import Body, Event, Key, Kind, Recorder, Refused, Writer

CUT_SECONDS = 3
"""Grace of a worker whose time is up: `preStop` and a moment."""


@dataclass(frozen=True)
class Made:
    """What workers of the current revision are made of."""

    template: Body
    hosted: Body | None
    """The ConfigMap with their applications."""

    @property
    def hosted_name(self) -> str:
        return str(self.hosted["metadata"]["name"]) if self.hosted else ""


class Acting:
    """One decision about one pool, being carried out."""

    def __init__(
        self,
        *,
        pool: ApplicationPool,
        made: Made,
        view: PoolView,
        now: datetime,
        writer: Writer,
        recorder: Recorder,
    ) -> None:
        self._pool = pool
        self._made = made
        self._view = view
        self._now = now
        self._writer = writer
        self._recorder = recorder
        self._workers = {worker.name: worker for worker in view.workers}

    async def carry_out(self, decision: Decision, pods: Iterable[Body]) -> str:
        """Returns the API server's words if it refused the pod template, else nothing."""
        bodies = {pod["metadata"]["name"]: pod for pod in pods}
        await self._mark_running(bodies)
        gone: list[tuple[Worker, bool]] = []
        for action in decision.actions:
            match action:
                case TakeOut(name, reason, replace):
                    leaving = Leaving(reason=reason, since=self._now, replace=replace)
                    await self._take_out(bodies[name], leaving, event=replace)
                case PutBack(name):
                    await self._put_back(bodies[name])
                case Retire(name, reason, replace) if self._never_ran(name):
                    await self._leave_to_its_replica_set(bodies[name], reason, replace=replace)
                case Retire(name, reason, replace):
                    alone = decision.replicas.get(self._workers[name].revision, 0) == 0
                    await self._retire(bodies[name], reason, replace=replace, alone=alone)
                    worker = self._workers[name]
                    # One that is drained its ReplicaSet ends, if it has one: it might replace it first.
                    cut = not worker.drained and worker.running_since is not None
                    gone += [(worker, cut)] if cut or not (alone and worker.in_rotation) else []
                case Discard(name, reason):
                    worker = self._workers[name]
                    gone.append((worker, not worker.drained and reason is not Reason.CRASH))
        refused = await self._scale(decision)
        for worker, cut in gone:
            await self._delete(bodies[worker.name], cut=cut)
        await self._clean_up(decision)
        return refused

    def _key(self, body: Body) -> Key:
        return Key(Kind.POD, body["metadata"]["namespace"], body["metadata"]["name"])

    async def _mark_running(self, bodies: dict[str, Body]) -> None:
        for worker in self._view.workers:
            body = bodies[worker.name]
            known = names.RUNNING_SINCE in (body["metadata"].get("annotations") or {})
            if worker.running_since is None or known:
                continue
            marks = {
                names.RUNNING_SINCE: worker.running_since.isoformat(),
                names.RESTARTS: str(observing.restarts(body)),
            }
            if await self._writer.patch(self._key(body), {"metadata": {"annotations": marks}}) is not None:
                seconds = (worker.running_since - worker.created).total_seconds()
                await self._tell(events.started(worker.name, seconds))

    async def _take_out(self, body: Body, leaving: Leaving, *, event: bool) -> None:
        patch: dict[str, Any] = {
            "metadata": {
                "labels": {names.ROTATION: "out"},
                "annotations": {names.LEAVING: observing.write_leaving(leaving)},
                "ownerReferences": [names.owner(self._pool)],
            }
        }
        if await self._writer.patch(self._key(body), patch) is not None and event:
            await self._tell(events.recycling(body["metadata"]["name"], leaving.reason))

    async def _put_back(self, body: Body) -> None:
        """With a cost of deletion: for a moment there are too many, and it must not be this one that goes."""
        patch: dict[str, Any] = {
            "metadata": {
                "labels": {names.ROTATION: "in"},
                "annotations": {names.LEAVING: None, names.DELETION_COST: "1000"},
                "ownerReferences": [],
            }
        }
        await self._writer.patch(self._key(body), patch)

    async def _retire(self, body: Body, reason: Reason, *, replace: bool, alone: bool) -> None:
        worker = self._workers[body["metadata"]["name"]]
        first = worker.leaving is None
        leaving = worker.leaving or Leaving(reason=reason, since=self._now, replace=replace)
        if worker.in_rotation and not alone:
            await self._take_out(body, leaving, event=False)
        elif first:
            mark = {"metadata": {"annotations": {names.LEAVING: observing.write_leaving(leaving)}}}
            await self._writer.patch(self._key(body), mark)
        if first and reason is Reason.IDLE_TIMEOUT:
            await self._tell(events.idle(worker.name, self._view.idle_timeout.total_seconds() / 60))

    def _never_ran(self, name: str) -> bool:
        worker = self._workers[name]
        return worker.running_since is None and worker.in_rotation

    async def _leave_to_its_replica_set(self, body: Body, reason: Reason, *, replace: bool) -> None:
        """Nobody depends on it, so lowering the replicas is enough, if it is the first to go. It is not relabelled: its
        ReplicaSet may be deleting it this moment, and would wait five minutes for an end that it does not see."""
        leaving = Leaving(reason=reason, since=self._now, replace=replace)
        if self._workers[body["metadata"]["name"]].leaving is None:
            marks = {names.LEAVING: observing.write_leaving(leaving), names.DELETION_COST: "-1000"}
            await self._writer.patch(self._key(body), {"metadata": {"annotations": marks}})

    async def _scale(self, decision: Decision) -> str:
        known = {revision.revision: revision for revision in self._view.revisions}
        for number, replicas in decision.replicas.items():
            wanted = decision.wanted if number == self._view.revision else replicas
            revision = known.get(number)
            try:
                if revision is None:
                    await self._create(replicas=replicas, wanted=wanted)
                elif (revision.replicas, revision.wanted) != (replicas, wanted):
                    await self._change(revision, replicas=replicas, wanted=wanted)
            except Refused as refusal:
                return str(refusal)
        return ""

    async def _create(self, *, replicas: int, wanted: int) -> None:
        await self._provide_applications()
        scaling = Scaling(replicas=replicas, wanted=wanted, scaled_at=self._now)
        await self._writer.apply(deployment(self._pool, self._made.template, scaling))

    async def _change(self, revision: Revision, *, replicas: int, wanted: int) -> None:
        grown = replicas > revision.replicas
        if grown and revision.revision == self._view.revision:
            await self._provide_applications()  # Somebody may have deleted them: no pod would start.
        scaling = Scaling(replicas=replicas, wanted=wanted, scaled_at=self._now if grown else revision.scaled_at)
        key = Key(Kind.DEPLOYMENT, self._pool.metadata.namespace, revision.name)
        await self._writer.patch(key, scale(scaling))

    async def _provide_applications(self) -> None:
        if self._made.hosted is None:
            return
        if why := too_large(self._made.hosted):
            raise Refused(why)
        await self._writer.create(self._made.hosted)

    async def _delete(self, body: Body, *, cut: bool) -> None:
        if not body["metadata"].get("deletionTimestamp"):
            await self._writer.delete(
                self._key(body), uid=body["metadata"]["uid"], grace_seconds=CUT_SECONDS if cut else None
            )

    async def _clean_up(self, decision: Decision) -> None:
        """Deployments of templates before this one go when they are empty."""
        for revision in self._view.revisions:
            occupied = any(w.revision == revision.revision and w.in_rotation for w in self._view.workers)
            if revision.revision == self._view.revision or revision.replicas or occupied:
                continue
            if decision.replicas.get(revision.revision, 0) == 0:
                await self._delete_applications(revision)
                key = Key(Kind.DEPLOYMENT, self._pool.metadata.namespace, revision.name)
                await self._writer.delete(key, uid="")

    async def _delete_applications(self, revision: Revision) -> None:
        """Before the Deployment goes, by which alone they are known, and unless another revision has the same."""
        others = {r.hosted for r in self._view.revisions if r is not revision} | {self._made.hosted_name}
        if revision.hosted and revision.hosted not in others:
            await self._writer.delete(Key(Kind.CONFIG_MAP, self._pool.metadata.namespace, revision.hosted), uid="")

    async def _tell(self, event: Event) -> None:
        await self._recorder.record(self._pool.as_dict(), event)
