"""Kills over every process at random moments (A49): nothing is lost but what was in a killed process' hands.

WEBGARDEN_SEED chooses another storm; the one that was is printed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest
from tests.e2e.attribution import Attribution, Blow, attribute
from tests.e2e.clients import Clients
from tests.e2e.durations import lasting
from tests.e2e.ledger import Ledger
from tests.e2e.storm import Clock, Storm
from tests.e2e.strikes import Field
from tests.e2e.tenant import Pool, Tenant
from tests.e2e.traffic import Result, traffic

SEED = int(os.environ.get("WEBGARDEN_SEED", "49"))
MINUTES = 10
GARDEN = 3
"""Workers of the pool that never sleeps."""
IDLE = 3
"""Seconds after which the other one sleeps; it is asked at more than twice that distance."""
UNTIL_STOPPED = 3600.0
SHOWN = 20


def _clients(garden: Pool, sleeper: Pool) -> tuple[Clients, ...]:
    """Short requests on connections that stay and on new ones; long ones, which a kill finds in a worker; WebSockets."""
    often = {"seconds": UNTIL_STOPPED}
    return (
        garden.clients(connections=4, rate=40, **often),
        garden.clients(connections=2, rate=20, keep_alive=False, **often),
        garden.clients(connections=4, rate=4, path="/?s=1", **often),
        garden.clients(connections=4, rate=40, method="POST", **often),
        garden.clients(connections=4, rate=4, method="POST", path="/echo?s=1", **often),
        garden.clients(connections=4, rate=20, method="WS", **often),
        sleeper.clients(connections=1, rate=1 / (2.5 * IDLE), method="POST", keep_alive=False, **often),
    )


@pytest.mark.own_machine
def test_a_storm_of_kills_costs_nothing_but_what_was_in_the_hands_of_the_killed(tenant: Tenant) -> None:
    ledger = Ledger(tenant)
    worker = {"env": ledger.environment}
    garden = tenant.garden(worker=worker, model={"maxProcesses": GARDEN}, startMode="AlwaysRunning")
    sleeper = tenant.garden("sleeper", worker=worker, model={"idleTimeout": f"{IDLE}s"})
    garden.running(GARDEN)
    field = Field(tenant.installation, (garden, sleeper))
    storm = Storm(field.strikes(), SEED, Clock(time.monotonic, time.sleep))
    with traffic(*_clients(garden, sleeper)) as load:
        load.answered(200)
        storm.rage(lasting(MINUTES))
        tenant.installation.connected()
        garden.running(GARDEN, seconds=120)
        load.answered(200)
        result = load.end()
    found = attribute(result.losses, storm.blows)
    print(f"seed {SEED}\n{found}")
    assert len(result.losses) == result.failed, "more than are kept"
    assert not found.unexplained, _story(found, storm.blows)
    _counted(ledger, result)
    woken = {name.partition("/")[0] for name in result.processes if name.startswith("sleeper-")}
    assert len(woken) > 1, "the pool that sleeps has slept"


def _counted(ledger: Ledger, result: Result) -> None:
    """What was answered arrived once, and what was not at most once."""
    counts = ledger.counts()
    unanswered = sum(ledger.has(loss.identity) for loss in result.losses if loss.identity)
    print(f"{result.posted} POSTs answered; {unanswered} arrived and were not; ledger: {counts}")
    assert counts["twice"] == []
    assert counts["distinct"] == result.posted + unanswered


def _story(found: Attribution, blows: Sequence[Blow]) -> str:
    """Losses that nothing explains, between the blows."""
    told = [(b.begin, f"{b.kind} {b.target}, over after {b.end - b.begin:.1f} s") for b in blows]
    told += [(loss.ended, f"    {loss}") for loss in found.unexplained[:SHOWN]]
    began = min(at for at, _ in told)
    lines = [f"{at - began:7.2f} s  {what}" for at, what in sorted(told)]
    return "\n".join([f"{len(found.unexplained)} requests were lost and nothing explains it", *lines])
