"""The ASGI lifespans of all applications: started before the port is open, shut down after the last request.

The protocol is uvicorn's (`LifespanOn`), once for each distinct application, each with a `state` of its own. An
application that raises at the lifespan scope does not know lifespans, says the specification, and is served without.
One that answers `lifespan.startup.failed` keeps the worker from starting; those started before it are shut down.
"""

from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.lifespan.on import LifespanOn

from webgarden_worker.applications import Kind
from webgarden_worker.errors import LoadError
from webgarden_worker.loading import Loaded


class Lifespans:
    def __init__(self, loaded: Iterable[Loaded]) -> None:
        self._loaded = {id(one.asgi): one for one in loaded if one.application.kind is Kind.ASGI}
        self._running: dict[int, LifespanOn] = {}

    async def start(self) -> None:
        """Raises `LoadError` if one of them fails; its own words are in the log by then."""
        for key, one in self._loaded.items():
            lifespan = _lifespan(one.asgi)
            await lifespan.startup()
            if lifespan.should_exit:
                await self.stop()
                raise LoadError(f"{one.application}: its startup (ASGI lifespan) failed")
            self._running[key] = lifespan

    async def stop(self) -> None:
        """The last one started is the first to stop."""
        while self._running:
            _, lifespan = self._running.popitem()
            await lifespan.shutdown()

    def state(self, asgi: ASGIApp) -> dict[str, Any]:
        """A copy, shallow as ASGI says, of what the application left in its lifespan's state."""
        lifespan = self._running.get(id(asgi))
        return dict(lifespan.state) if lifespan else {}


def _lifespan(asgi: ASGIApp) -> LifespanOn:
    config = Config(asgi, interface="asgi3", lifespan="auto", ws="none", proxy_headers=False, log_config=None)
    return LifespanOn(config)
