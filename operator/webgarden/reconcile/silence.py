"""Listeners that are alive and without a link while workers must go: one at a time is to be replaced.

A listener that does not hear of us may give a request to any worker that it knows, so none that must go can go. When that
has lasted, and another listener is linked and takes the clients, its pod may be deleted: `preStop` has its HAProxy send
its clients elsewhere and finish what runs, without the agent.

Time counts while another is linked, so an operator that was away lets them all come in first; it is remembered nowhere,
so a new leader counts anew. While one is on its way out, no other goes.
"""

from __future__ import annotations

from collections.abc import Callable

from webgarden.reconcile.listeners import Listeners

PATIENCE = 30.0
"""Seconds. An agent that was restarted is back within two or three."""
WAIT_LASTS = 15.0
"""Seconds. A pool that has workers is looked at every five, and says each time that it waits."""


class Silence:
    def __init__(
        self, *, listeners: Listeners, connected: Callable[[], frozenset[str]], monotonic: Callable[[], float]
    ) -> None:
        self._listeners = listeners
        self._connected = connected
        self._monotonic = monotonic
        self._since: dict[str, float] = {}
        self._waited: float | None = None

    def wait(self) -> None:
        """A worker would go now if all listeners were linked."""
        self._waited = self._monotonic()

    def look(self) -> bool:
        """Count on. Returns whether one is silent, and therefore the next look is soon."""
        connected = self._connected()
        silent = self._listeners.alive() - connected - self._listeners.leaving() if connected else frozenset()
        now = self._monotonic()
        self._since = {name: self._since.get(name, now) for name in silent}
        return bool(silent)

    def due(self) -> str:
        """The listener that has been silent longest, if it is to be replaced; else nothing."""
        now = self._monotonic()
        waits = self._waited is not None and now - self._waited < WAIT_LASTS
        if not waits or self._listeners.alive() & self._listeners.leaving():
            return ""
        late = [name for name, since in self._since.items() if now - since >= PATIENCE]
        return min(late, key=lambda name: (self._since[name], name), default="")
