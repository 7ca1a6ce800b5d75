"""Among how many listeners limits are divided: as many as are wanted, or as are connected if those are more.

More count at once, or a limit would be passed. Fewer count when it has stayed so for a while: listeners that are replaced
one by one, or only lose their link, make no limit go up and down.
"""

from __future__ import annotations

from datetime import datetime, timedelta

STAYS = timedelta(minutes=1)


class Sharing:
    def __init__(self) -> None:
        self._count = 0
        self._fewer_since: datetime | None = None

    def count(self, *, wanted: int, connected: int, now: datetime) -> int:
        there = max(wanted, connected)
        if there >= self._count:
            self._count, self._fewer_since = there, None
        elif self._fewer_since is None:
            self._fewer_since = now
        elif now - self._fewer_since >= STAYS:
            self._count, self._fewer_since = there, None
        return self._count

    @property
    def next_look(self) -> datetime | None:
        return self._fewer_since + STAYS if self._fewer_since is not None else None
