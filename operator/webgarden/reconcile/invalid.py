"""A spec that got past admission (an older CRD, say) and cannot be read: said in conditions, and nothing else is touched."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from webgarden.api.conditions import Condition, Finding, Truth, merge
from webgarden.reconcile.ports import Body, Writer


async def say(writer: Writer, body: Body, error: ValidationError, now: datetime) -> None:
    """Once for each generation of the resource."""
    generation = body["metadata"].get("generation", 0)
    if (body.get("status") or {}).get("observedGeneration") == generation:
        return
    conditions = [c.as_dict() for c in _conditions(error, generation, now)]
    await writer.write_status(body, {"observedGeneration": generation, "conditions": conditions})


def _conditions(error: ValidationError, generation: int, now: datetime) -> tuple[Condition, ...]:
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
    return merge((), findings, now)
