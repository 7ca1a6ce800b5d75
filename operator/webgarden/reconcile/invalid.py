"""A spec that got past admission (an older CRD, say) and cannot be read: said in conditions, and nothing else is touched."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from webgarden.api.conditions import Condition, Finding, Truth, merge
from webgarden.reconcile.ports import Body, Writer


async def say(writer: Writer, body: Body, error: ValidationError, now: datetime) -> None:
    """Unless it has been said. What else the status says stays: it is true of what goes on."""
    status = body.get("status") or {}
    generation = body["metadata"].get("generation", 0)
    conditions = _conditions(error, _known(status), generation, now)
    new = {**status, "observedGeneration": generation, "conditions": [c.as_dict() for c in conditions]}
    if new != status:
        await writer.write_status(body, new)


def _known(status: Body) -> tuple[Condition, ...]:
    try:
        return tuple(Condition.model_validate(c) for c in status.get("conditions") or ())
    except ValidationError:
        return ()


def _conditions(
    error: ValidationError, known: tuple[Condition, ...], generation: int, now: datetime
) -> tuple[Condition, ...]:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    findings = [
        Finding(
            type=kind,
            status=Truth.FALSE,
            reason="InvalidSpec",
            message=f"{where}: {first['msg']}",
            observed_generation=generation,
        )
        for kind in ("Ready", "Accepted")
    ]
    return merge(known, findings, now)
