"""/healthz, /readyz and /metrics. Alive: the event loop answers and the watches run. Ready: the store is filled; the standby
is ready, too, since it could lead at any moment."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from webgarden import metrics


class HealthServer:
    def __init__(self, *, alive: Callable[[], str], ready: Callable[[], str]) -> None:
        """Both return what is wrong, or nothing."""
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        application = web.Application()
        application.router.add_get("/healthz", lambda _: _verdict(self._alive()))
        application.router.add_get("/readyz", lambda _: _verdict(self._ready()))
        application.router.add_get("/metrics", _metrics)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


async def _verdict(wrong: str) -> web.Response:
    return web.Response(status=503 if wrong else 200, text=f"{wrong or 'ok'}\n")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
