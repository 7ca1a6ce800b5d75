"""How long a pool that does not come up is left alone: 10 s after the first failed start, doubling to 5 min.

Only failures of the current template since its last success count, so a new template is tried at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from webgarden.policy.view import Failure, PoolView, Reason

FIRST = timedelta(seconds=10)
LAST = timedelta(minutes=5)


def until(view: PoolView) -> datetime | None:
    """When the next start may be tried, or None when the last start worked."""
    failures = _failed_starts(view)
    if not failures:
        return None
    return max(f.time for f in failures) + min(FIRST * 2.0 ** (len(failures) - 1), LAST)


def _failed_starts(view: PoolView) -> list[Failure]:
    success = max(
        (w.running_since for w in view.workers if w.running_since and w.revision == view.revision), default=None
    )
    return [
        failure
        for failure in view.failures
        if failure.kind is Reason.STARTUP_TIME_LIMIT
        and view.revision in failure.worker
        and (success is None or failure.time > success)
    ]
