"""How many replicas each Deployment of the pool gets, once it is decided how many workers the pool wants and who goes.

The promise: replicas are never lowered below the number of live workers in a Deployment that nobody has drained. Kubernetes
picks its own victim then, and a request would be lost. Nor are they raised to what there is: the pod that a ReplicaSet makes
when one is taken out, or that is too many when one is put back, is the ReplicaSet's to take away again.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import backoff
from webgarden.policy.view import PoolView, Revision


def replicas(view: PoolView, *, wanted: int, retired: frozenset[str], now: datetime) -> dict[str, int]:
    """Revision -> replicas, for each Deployment there is and the current one."""
    targets = {r.revision: _staying(view, r, retired) for r in view.revisions}
    room = _room(view, wanted=wanted, retired=retired, now=now)
    targets[view.revision] = max(targets.get(view.revision, 0), room)
    return targets


def _staying(view: PoolView, revision: Revision, retired: frozenset[str]) -> int:
    """Workers that stay, at most as many as the Deployment has; one that is still to be drained stays."""
    there = [w for w in view.workers if w.revision == revision.revision and w.in_rotation and not w.terminating]
    return min(revision.replicas, sum(w.name not in retired for w in there))


def _room(view: PoolView, *, wanted: int, retired: frozenset[str], now: datetime) -> int:
    """What the current revision may grow to."""
    outdated = sum(1 for w in view.outdated if w.name not in retired)
    if not view.overlap:
        # A place is free only when its worker is gone altogether.
        going = sum(1 for w in view.workers if w.leaving is not None or w.terminating)
        return max(0, wanted - outdated - going - len(retired))
    if outdated:
        pause = backoff.until(view)
        if pause is not None and now < pause:
            return 0
        # New one first, one at a time.
        return min(wanted, sum(w.serving for w in view.fresh) + 1)
    return wanted
