"""The table on disk, for an HAProxy that starts while the operator is away.

Written when it has changed, once in a while however often that happens: HAProxy knows of each change before the disk
does, and an agent that starts asks the operator.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from webgarden_listener import state
from webgarden_listener.table import Routing

PAUSE = 1.0
"""Seconds between two writings."""
log = logging.getLogger(__name__)


class Saver:
    def __init__(self, path: Path, known: Routing) -> None:
        self._path = path
        self._known = known
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """For as long as it is not cancelled."""
        trouble = ""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await asyncio.to_thread(state.save, self._path, self._known.table())
                trouble = ""
            except state.StateError as error:
                if str(error) != trouble:
                    log.error(
                        "The table cannot be saved, so a listener that starts anew has to wait for the operator: %s",
                        error,
                    )
                trouble = str(error)
                self._changed.set()
            await asyncio.sleep(PAUSE)
