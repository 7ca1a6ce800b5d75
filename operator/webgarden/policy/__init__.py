"""What to do about one pool, decided without I/O, clock or randomness.

`decide(view, now)` runs an ordered chain of policies, one module for each feature; the first that claims a worker has it.
A policy sees the whole pool (`PoolView`) and returns actions; carrying them out is `webgarden.reconcile`'s.
"""

from webgarden.policy.actions import (
    Action,
    Discard,
    Drain,
    Fail,
    PutBack,
    Recycled,
    Retire,
    TakeOut,
)
from webgarden.policy.chain import Decision, decide, held_up
from webgarden.policy.view import Failure, Leaving, PoolView, Reason, Revision, Worker

__all__ = [
    "Action",
    "Decision",
    "Discard",
    "Drain",
    "Fail",
    "Failure",
    "Leaving",
    "PoolView",
    "PutBack",
    "Reason",
    "Recycled",
    "Retire",
    "Revision",
    "TakeOut",
    "Worker",
    "decide",
    "held_up",
]
