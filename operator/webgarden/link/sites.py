"""What is known of one site: what the listeners were told of it, who has it, and who refuses it. Memory only.

A site is live when every connected listener has said that it has this version, and stays so until the site changes: a
listener that comes in later gets no request before it has its table.
"""

from __future__ import annotations

from collections.abc import Collection

import webgarden_link as link
from webgarden.reconcile.ports import SiteFacts


class SiteRecord:
    """Of one version: a site that differs gets another record."""

    def __init__(self, entry: link.Site) -> None:
        self.entry = entry
        self.facts = SiteFacts()
        self._reports: dict[str, link.SiteReport] = {}

    def hear(self, listener: str, report: link.SiteReport, *, connected: Collection[str]) -> bool:
        """Returns whether the facts differ now: most reports say what is known."""
        if report.version < self.entry.version:
            return False
        self._reports[listener] = report
        return self._settle(connected)

    def leave(self, listener: str, *, connected: Collection[str]) -> bool:
        """The listener has no connection any more. Returns whether the facts differ now."""
        self._reports.pop(listener, None)
        return self._settle(connected)

    def _settle(self, connected: Collection[str]) -> bool:
        refusals = {name: report.refused for name, report in self._reports.items() if report.refused}
        everywhere = bool(connected) and self._reports.keys() >= set(connected) and not refusals
        before, self.facts = self.facts, SiteFacts(live=self.facts.live or everywhere, refusals=refusals)
        return self.facts != before
