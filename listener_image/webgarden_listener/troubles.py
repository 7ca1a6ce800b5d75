"""What does not work, by subject: said once each time it changes, tried again with growing pauses. Pure but for the log."""

from __future__ import annotations

import logging

FIRST, LONGEST = 0.5, 60.0
log = logging.getLogger(__name__)


class Troubles:
    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def happened(self, subject: str, error: Exception, now: float) -> None:
        words = str(error)
        if self._words.get(subject) != words:
            log.warning("%s: %s", subject, words)
        self._words[subject] = words
        self._pauses[subject] = min(LONGEST, self._pauses.get(subject, FIRST / 2) * 2)
        self._due[subject] = now + self._pauses[subject]

    def over(self, subject: str) -> None:
        if self._words.pop(subject, None) is not None:
            del self._pauses[subject]
            self._due.pop(subject, None)

    def due(self, now: float) -> list[str]:
        """Subjects to try again; each is named once."""
        found = [subject for subject, at in self._due.items() if at <= now]
        for subject in found:
            del self._due[subject]
        return found

    def pause(self, now: float) -> float:
        """Seconds until one is due."""
        return max(0.0, min(self._due.values(), default=float("inf")) - now)
