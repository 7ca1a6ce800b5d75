"""One look at one `ApplicationPool`.

Read, decide, publish to the listeners, record in the status, act: in this order. Publishing comes before acting so that a
worker gets no request from the moment its end is decided; recording comes before acting so that what was done is never
forgotten, and since failures and recycles are recorded by the worker's name, never counted twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from webgarden.api.pool import ApplicationPool, ApplicationPoolStatus
from webgarden.manifests import names
from webgarden.manifests.applications import config_map
from webgarden.manifests.worker import Images, has_readiness_probe, pod_template, revision
from webgarden.policy import Decision, PoolView, Reason, decide, held_up
from webgarden.reconcile import events, invalid, observing, status
from webgarden.reconcile.acting import Acting, Made
from webgarden.reconcile.hosting import Hosting
from webgarden.reconcile.listeners import Listeners
from webgarden.reconcile.observing import Memory, Observation
from webgarden.reconcile.ports import Body, Key, Kind, Outside
from webgarden.reconcile.silence import Silence
from webgarden.routing import Endpoint, Refusing, pool_entry

COUNTERS_EVERY = timedelta(seconds=5)
"""A status that differs in counters alone is written this often at most."""
RETRY_REFUSED = timedelta(minutes=5)
TEMPLATE_REFUSED = "TemplateRefused"
DISABLED = "Disabled"
"""HTTP.sys' word for a pool that its administrator has stopped."""


@dataclass(frozen=True)
class _Refusal:
    """A template that the API server would not take. It is tried again after a while: quotas and webhooks change."""

    revision: str
    message: str
    until: datetime


@dataclass
class _Memory:
    """What is remembered of a pool between looks. Losing it delays decisions and changes none."""

    begun: datetime
    draining: dict[str, datetime] = field(default_factory=dict)
    wish: str = ""
    """Value of the recycle annotation that was looked at."""
    recycled: set[str] = field(default_factory=set)
    """Workers whose recycling has been counted."""
    status_written: datetime | None = None
    refused: _Refusal | None = None


class PoolReconciler:
    def __init__(self, outside: Outside, *, listeners: Listeners, silence: Silence, images: Images) -> None:
        self._store = outside.store
        self._writer = outside.writer
        self._link = outside.link
        self._recorder = outside.recorder
        self._clock = outside.clock
        self._listeners = listeners
        self._silence = silence
        self._images = images
        self._hosting = Hosting()
        self._memories: dict[Key, _Memory] = {}

    async def reconcile(self, key: Key) -> datetime | None:
        """One look. Returns when time alone asks for the next one."""
        body = self._store.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._memories.pop(key, None)
            self._hosting.forget(key)
            self._link.remove_pool(key.path)
            return None
        try:
            pool = ApplicationPool.model_validate(body)
        except ValidationError as error:
            await invalid.say(self._writer, body, error, self._clock())
            return None
        memory = self._memories.setdefault(key, _Memory(begun=self._clock()))
        await self._notice_wish(pool, memory)
        hosted = config_map(pool, self._hosting.given(key, self._store.of_pool(Kind.SITE, key)))
        template = pod_template(pool, hosted, self._images)
        seen = self._observe(key, pool, self._usable(key, revision(template), memory), memory)
        view = observing.view(seen)
        decision = decide(view, seen.now)
        self._note_draining(memory, view, decision, seen.now)
        if held_up(view, seen.now):
            self._silence.wait()
        refusal = memory.refused.message if memory.refused else ""
        self._publish(seen, view, decision, template, refused=bool(refusal))
        await self._record(body, seen, view, decision, memory)
        acting = Acting(
            pool=pool,
            made=Made(template, hosted),
            view=view,
            now=seen.now,
            writer=self._writer,
            recorder=self._recorder,
        )
        refused = await acting.carry_out(decision, seen.pods)
        if refused:
            memory.refused = _Refusal(seen.revision, refused, seen.now + RETRY_REFUSED)
        return self._next_look(decision, memory, seen, refused=refused)

    async def _notice_wish(self, pool: ApplicationPool, memory: _Memory) -> None:
        """Say so, once, if the recycle annotation makes no sense."""
        before, memory.wish = memory.wish, pool.metadata.annotations.get(names.RECYCLE, "")
        last = pool.status.last_recycle
        if memory.wish in ("", before) or (last is not None and last.request == memory.wish):
            return
        worker = observing.wished_worker(memory.wish)
        pods = self._store.of_pool(Kind.POD, Key(Kind.POOL, pool.metadata.namespace, pool.metadata.name))
        if observing.wished_time(memory.wish) is None:
            await self._recorder.record(pool.as_dict(), events.senseless_wish(memory.wish))
        elif worker and worker not in (pod["metadata"]["name"] for pod in pods):
            await self._recorder.record(pool.as_dict(), events.unknown_worker(worker))

    def _usable(self, key: Key, number: str, memory: _Memory) -> str:
        """The revision to work with: of a template that was refused, the newest Deployment's before it."""
        if memory.refused is None:
            return number
        if memory.refused.revision != number or self._clock() >= memory.refused.until:
            memory.refused = None
            return number
        deployments = self._store.of_pool(Kind.DEPLOYMENT, key)
        newest = max(deployments, key=lambda d: str(d["metadata"].get("creationTimestamp")), default=None)
        return str(newest["metadata"]["labels"][names.REVISION]) if newest else number

    def _observe(self, key: Key, pool: ApplicationPool, number: str, memory: _Memory) -> Observation:
        connected = self._link.connected()
        return Observation(
            pool=pool,
            revision=number,
            pods=tuple(self._store.of_pool(Kind.POD, key)),
            deployments=tuple(self._store.of_pool(Kind.DEPLOYMENT, key)),
            facts=self._link.pool_facts(key.path, self._listeners.leaving()),
            listeners_complete=self._listeners.alive() <= connected,
            memory=Memory(
                begun=memory.begun,
                draining=dict(memory.draining),
            ),
            now=self._clock(),
        )

    @staticmethod
    def _note_draining(memory: _Memory, view: PoolView, decision: Decision, now: datetime) -> None:
        going = {w.name for w in view.workers if w.terminating and w.name in memory.draining}
        memory.draining = {name: memory.draining.get(name, now) for name in decision.drained | going}

    def _publish(self, seen: Observation, view: PoolView, decision: Decision, template: Body, *, refused: bool) -> None:
        refusing: Refusing | None = None
        if not view.started:
            refusing = Refusing(reason=DISABLED)
        elif refused and not view.revisions:
            refusing = Refusing(reason=TEMPLATE_REFUSED)
        elif decision.paused_until is not None:
            wait = math.ceil((decision.paused_until - seen.now).total_seconds())
            refusing = Refusing(reason=Reason.STARTUP_TIME_LIMIT, retry_after=max(1, wait))
        endpoints = _endpoints(seen, view, decision, probed=has_readiness_probe(template))
        self._link.publish_pool(pool_entry(seen.pool, endpoints, refusing=refusing))

    async def _record(self, body: Body, seen: Observation, view: PoolView, decision: Decision, memory: _Memory) -> None:
        refused = memory.refused.message if memory.refused else ""
        recycles = status.uncounted(seen, decision, memory.recycled)
        new = status.build(seen, view, decision, new_recycles=recycles, refused=refused)
        if not self._worth_writing(seen.pool.status, new, memory, seen.now):
            return
        await self._writer.write_status(body, new.as_dict())
        memory.status_written = seen.now
        about = seen.pool.as_dict()
        for failure in status.new_failures(view, decision, seen.now):
            await self._recorder.record(about, events.failed(failure.worker, failure.kind, failure.message))
        there = {w.name for w in view.workers}
        memory.recycled = {r.worker for r in recycles if not r.failed} | (memory.recycled & there)
        for done in recycles:
            await self._recorder.record(about, events.recycled(done.worker, done.reason, failure=done.failed))

    @staticmethod
    def _worth_writing(old: ApplicationPoolStatus, new: ApplicationPoolStatus, memory: _Memory, now: datetime) -> bool:
        if new == old:
            return False
        if _without_counters(new) != _without_counters(old) or memory.status_written is None:
            return True
        return now - memory.status_written >= COUNTERS_EVERY

    @staticmethod
    def _next_look(decision: Decision, memory: _Memory, seen: Observation, *, refused: str) -> datetime | None:
        looks = [decision.next_look] if decision.next_look else []
        if refused:
            looks.append(seen.now)  # to say so in the status
        elif memory.refused:
            looks.append(memory.refused.until)
        if seen.facts.workers and memory.status_written is not None:
            looks.append(max(seen.now + timedelta(seconds=1), memory.status_written + COUNTERS_EVERY))
        return min(looks, default=None)


def _without_counters(value: ApplicationPoolStatus) -> dict[str, Any]:
    fields = value.as_dict()
    fields.pop("queue", None)
    for worker in fields.get("workers", ()):
        for name in ("requests", "inFlight", "lastRequestTime"):
            worker.pop(name, None)
    return fields


def _endpoints(seen: Observation, view: PoolView, decision: Decision, *, probed: bool) -> list[Endpoint]:
    """Workers that the listeners may know of.

    One that is being deleted stays, draining, until it is gone, so that its requests are waited for; past
    `shutdownTimeLimit` it is left out, and the listeners cut what is still running. One that has not answered yet stays
    while the kubelet restarts it: how long it has been looked for counts from the first time.
    """
    endpoints: list[Endpoint] = []
    for pod, worker in zip(seen.pods, view.workers, strict=True):
        address = (pod.get("status") or {}).get("podIP")
        ended = observing.over(pod) or (bool(worker.crash) and worker.running_since is not None)
        waiting = probed and worker.running_since is None and not observing.ready(pod)
        since = worker.draining_since
        overdue = since is not None and seen.now - since >= view.shutdown_time_limit
        if not address or ended or waiting or overdue:
            continue
        draining = worker.terminating or worker.name in decision.drained
        endpoints.append(Endpoint(name=worker.name, address=address, draining=draining))
    return endpoints
