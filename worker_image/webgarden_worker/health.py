"""What application code says about its own health.

The state belongs to the process, like the reason for it: leaked handles, a broken native library, a cache that
cannot be trusted any more. There is no way back to healthy on purpose, since the cure is a new process. The first
reason is kept: later ones are mostly its consequences. Safe to call from any thread.
"""

import logging

_log = logging.getLogger("webgarden_worker")
_reasons: list[str] = []


def declare_unhealthy(reason: str) -> None:
    """Ask the pool to replace this worker; `reason` is shown to the administrator."""
    if not reason.strip():
        raise ValueError("declare_unhealthy needs a reason that an administrator can read")
    _reasons.append(reason)
    if len(_reasons) == 1:
        _log.warning("An application declares this worker unhealthy: %s", reason)
    del _reasons[1:]


def unhealthy_reason() -> str | None:
    """The first reason that was given, or None."""
    return _reasons[0] if _reasons else None
