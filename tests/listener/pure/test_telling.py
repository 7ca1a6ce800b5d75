"""What the operator is told over one connection, in virtual time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from webgarden_link import Pool, PoolReport, Site, SiteReport, Table
from webgarden_listener.haproxy.stats import Backend
from webgarden_listener.plane import Plane
from webgarden_listener.reports import Sight
from webgarden_listener.settings import Directory
from webgarden_listener.table import Routing
from webgarden_listener.telling import DEMAND_INTERVAL, Teller

POOL = Pool(key="n/p", version=7)
SITES = (
    Site(key="n/s", version=3, bindings=(), applications=()),
    Site(key="n/refused", version=4, bindings=(), applications=(), requires=("magic",)),
)


@dataclass
class Heard:
    """An operator that remembers."""

    demands: list[str] = field(default_factory=list)
    reports: list[PoolReport | SiteReport] = field(default_factory=list)

    def demand(self, pool: str) -> None:
        self.demands.append(pool)

    def report(self, one: PoolReport | SiteReport) -> None:
        self.reports.append(one)


def teller(*, introduced: bool = True) -> tuple[Teller, Heard]:
    known, heard = Routing(), Heard()
    known.take(Table(pools=(POOL,), sites=SITES))
    made = Teller(known, Plane(Directory(Path("/nowhere"))), heard)
    if introduced:
        made.introduced()
    return made, heard


def test_nothing_is_said_before_the_operator_has_sent_its_table() -> None:
    made, heard = teller(introduced=False)
    made.pool(POOL, Sight(Backend(), Backend(), ()), 0.0)
    made.site("n/s")
    made.needs("n/p", True)
    made.repeat(0.0)
    assert (heard.reports, heard.demands) == ([], [])
    made.introduced()
    made.repeat(0.0)
    assert heard.demands == ["n/p"]


def test_demand_is_said_at_once_and_repeated_until_it_ends() -> None:
    made, heard = teller()
    made.needs("n/p", True)
    assert made.repeat(10.0) == DEMAND_INTERVAL
    made.needs("n/p", True)
    made.repeat(10.0 + DEMAND_INTERVAL / 2)
    assert heard.demands == ["n/p"]
    made.repeat(10.0 + DEMAND_INTERVAL)
    assert heard.demands == ["n/p"] * 2
    made.needs("n/p", False)
    assert made.repeat(100.0) == math.inf
    assert heard.demands == ["n/p"] * 2


def test_another_operator_hears_everything_again() -> None:
    made, heard = teller()
    made.needs("n/p", True)
    made.pool(POOL, Sight(Backend(), Backend(), ()), 0.0)
    made.repeat(0.0)
    made.begin()
    made.introduced()
    made.pool(POOL, Sight(Backend(), Backend(), ()), 0.1)
    made.repeat(0.1)
    assert (len(heard.reports), heard.demands) == (2, ["n/p"] * 2)


def test_a_number_that_changed_just_now_is_told_later() -> None:
    made, heard = teller()
    assert made.pool(POOL, Sight(Backend(), Backend(), ()), 0.0)
    assert not made.pool(POOL, Sight(Backend(queued=1), Backend(), ()), 0.1)
    assert made.pool(POOL, Sight(Backend(queued=1), Backend(), ()), 1.0)
    assert [one.queued for one in heard.reports if isinstance(one, PoolReport)] == [0, 1]


def test_a_site_is_told_with_why_it_is_not_served() -> None:
    made, heard = teller()
    for key in ("n/s", "n/refused", "n/unknown"):
        made.site(key)
    made.site("n/s", trouble="HAProxy does not want it")
    served, refused, troubled = (one for one in heard.reports if isinstance(one, SiteReport))
    assert (served.version, served.refused) == (3, "")
    assert refused.version == 4
    assert "magic" in refused.refused
    assert (troubled.version, troubled.refused) == (3, "HAProxy does not want it")
