"""How long a test that is about time goes on: a tenth of what the criterion says, or with WEBGARDEN_SOAK=1 all of it."""

from __future__ import annotations

import os

SOAK = os.environ.get("WEBGARDEN_SOAK") == "1"


def lasting(minutes: float) -> float:
    """Seconds."""
    return minutes * (60 if SOAK else 6)
