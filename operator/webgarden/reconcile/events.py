"""Which Event tells of which action: reason, WAS event id, sentence. The sentences are our own; the ids are those of IIS."""

from __future__ import annotations

from webgarden.manifests import names
from webgarden.policy import Reason
from webgarden.reconcile.ports import Event

_FAILURES = {
    Reason.CRASH: ("WorkerCrashed", 5009),
    Reason.STARTUP_TIME_LIMIT: ("StartupTimeLimit", 5012),
    Reason.SHUTDOWN_TIME_LIMIT: ("ShutdownTimeLimit", 5013),
}
_RECYCLES = {Reason.ON_DEMAND: 5079, Reason.CONFIG_CHANGE: 5080}
_WHY = {
    Reason.ON_DEMAND: "an administrator asked for it",
    Reason.CONFIG_CHANGE: "the pool's configuration changed",
}


def failed(worker: str, kind: Reason, message: str) -> Event:
    reason, was_id = _FAILURES[kind]
    return Event(reason, f"Worker {worker} failed: {message}", was_id, warning=True)


def recycling(worker: str, reason: Reason) -> Event:
    return Event(f"Recycling{reason}", f"Worker {worker} is being recycled: {_WHY[reason]}", _RECYCLES.get(reason, 0))


def recycled(worker: str, reason: Reason, *, failure: str) -> Event:
    if failure:
        text = f"Worker {worker} goes on: its replacement did not come up ({failure})"
        return Event("RecycleFailed", text, 5093, warning=True)
    return Event("Recycled", f"Worker {worker} was recycled: {_WHY.get(reason, reason)}", _RECYCLES.get(reason, 0))


def senseless_wish(value: str) -> Event:
    text = f"{names.RECYCLE} must be <RFC 3339 time>[,<worker>], such as 2026-01-31T12:00:00Z, not {value!r}"
    return Event("RecycleRequestInvalid", text, 5070, warning=True)


def unknown_worker(worker: str) -> Event:
    text = f"{names.RECYCLE} names {worker}, which is no worker of this pool: see status.workers"
    return Event("RecycleRequestInvalid", text, 5070, warning=True)


def idle(worker: str, minutes: float) -> Event:
    return Event("IdleTimeout", f"Worker {worker} was stopped after {minutes:g} minutes without a request", 5186)


def started(worker: str, seconds: float) -> Event:
    return Event("WorkerStarted", f"Worker {worker} answers, {seconds:.1f} s after it was created")


def site_refused(reason: str, message: str) -> Event:
    return Event(reason, message, warning=True)


def listener_silent(listener: str, seconds: float) -> Event:
    text = (
        f"Listener {listener} has had no link for {seconds:g} s while workers must go: it is deleted,"
        " sends its clients to the others, and finishes what runs"
    )
    return Event("ListenerSilent", text, warning=True)
