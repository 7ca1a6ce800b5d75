"""A worker that ended by itself: counted, deleted, and replaced at once by its ReplicaSet.

The kubelet would restart the container in place with growing back-off; the pool's own limits decide instead. A worker that
never answered is `starting`'s: until its time limit is over, the kubelet may try.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy.actions import Action, Discard, Fail, Recycled
from webgarden.policy.view import PoolView, Reason


def crashed(view: PoolView, now: datetime) -> list[Action]:
    actions: list[Action] = []
    for worker in view.workers:
        if worker.terminating or not worker.crash or worker.running_since is None:
            continue
        actions += [Fail(worker.name, Reason.CRASH, worker.crash, worker.created), Discard(worker.name, Reason.CRASH)]
        if worker.leaving is not None and worker.leaving.replace:
            actions.append(Recycled(worker.name, worker.leaving.reason))
    return actions
