"""A pod that counts the POSTs which arrived, outside of the workers that come and go: what came twice is seen there."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.e2e import asking
from tests.e2e.asking import Place
from tests.e2e.kubernetes import Body
from tests.e2e.tenant import Tenant


class Ledger:
    def __init__(self, tenant: Tenant) -> None:
        pool = tenant.pool("ledger", worker={"command": ["python", "/app/ledger.py"]}, startMode="AlwaysRunning")
        pool.until(lambda: pool.workers(), "the ledger")
        self._address = str(pool.status["workers"][0]["address"])

    @property
    def environment(self) -> list[Mapping[str, str]]:
        """Of the workers that write into it."""
        return [{"name": "LEDGER", "value": f"{self._address}:9000"}]

    def counts(self) -> Body:
        counts: Body = json.loads(self._ask("/"))
        return counts

    def has(self, identity: str) -> bool:
        return int(self._ask(f"/{identity}")) > 0

    def _ask(self, path: str) -> bytes:
        return asking.ask(Place(self._address, 8080), "ledger", path).body
