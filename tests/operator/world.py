"""The API server as the tests see it: requests, and watches that keep everything that was ever seen.

It lives in a thread of its own, so that the played node and listeners go on while a test waits. What a test reads here (the
dicts and lists) is changed by that thread alone. `moments` is one order of things for the API and the link together: both
are noted by the same thread, and a cause is noted before it can have its effect.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml

T = TypeVar("T")
Body = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
GROUP = "/apis/webgarden.dev/v1alpha1"
COLLECTIONS = {
    "configmaps": "/api/v1/configmaps",
    "pods": "/api/v1/pods",
    "deployments": "/apis/apps/v1/deployments",
    "applicationpools": f"{GROUP}/applicationpools",
    "sites": f"{GROUP}/sites",
    "webservers": f"{GROUP}/webservers",
    "events": "/apis/events.k8s.io/v1/events",
}
PATIENCE = 40.0
PAUSE = 0.01


class Refused(Exception):
    """The API server said no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def until(check: Callable[[], T], what: str = "", *, seconds: float = PATIENCE) -> T:
    """What `check` says once it is true. Raises `AssertionError` at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or check}"
        time.sleep(PAUSE)
    return found


def path(plural: str, namespace: str = "", name: str = "") -> str:
    """Where a collection of a namespace is, or one object of it."""
    root, _, last = COLLECTIONS[plural].rpartition("/")
    inside = f"{root}/namespaces/{namespace}/{last}" if namespace else f"{root}/{last}"
    return f"{inside}/{name}" if name else inside


@dataclass(frozen=True)
class Moment:
    """Something that was seen: an object's new version, or a message of the link."""

    at: float
    """Of the monotonic clock."""
    source: str
    """A plural (`pods`), or `heard` and `said` of a listener."""
    what: str
    """`ADDED`, `MODIFIED`, `DELETED`, or the listener's name."""
    body: Any = field(repr=False)


class World:
    def __init__(self, kubeconfig: Path) -> None:
        self._keys = kubeconfig.parent
        self.server: str = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self.moments: list[Moment] = []
        self.objects: dict[str, dict[tuple[str, str], Body]] = {plural: {} for plural in COLLECTIONS}
        self.watchers: list[Callable[[str, str, Body], None]] = []
        """Called in the world's thread with (plural, type of event, object)."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="world", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession

    def start(self) -> None:
        self._thread.start()
        self.call(self._start())

    def stop(self) -> None:
        self.call(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T], *, seconds: float = 60.0) -> T:
        """The result of work that is done in the world's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def request(self, method: str, url: str, body: Any = None, *, kind: str = JSON) -> Body:  # noqa: ANN401 (any JSON)
        return self.call(self.ask(method, url, body, kind=kind))

    def note(self, source: str, what: str, body: Any) -> None:  # noqa: ANN401 (objects and messages)
        self.moments.append(Moment(time.monotonic(), source, what, body))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background, in the world's thread, until it ends or the world does."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, method: str, url: str, body: Any = None, *, kind: str = JSON) -> Body:  # noqa: ANN401
        headers = {"Content-Type": kind} if body is not None else {}
        data = None if body is None else json.dumps(body)
        while True:
            async with self._session.request(method, self.server + url, data=data, headers=headers) as answer:
                text = await answer.text()
            if answer.status != 429:
                break
            await asyncio.sleep(0.2)  # a kind that is new is not served at once
        if answer.status >= 400:
            raise Refused(answer.status, text)
        found: Body = json.loads(text) if text else {}
        return found

    async def _start(self) -> None:
        context = ssl.create_default_context(cafile=str(self._keys / "ca.crt"))
        context.load_cert_chain(self._keys / "admin.crt", self._keys / "admin.key")
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, connect=10)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        for plural in COLLECTIONS:
            version = await self._list(plural)
            self.spawn(self._watch(plural, version))

    async def _stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()
        await self.loop.shutdown_asyncgens()
        await asyncio.sleep(0.1)  # TLS connections take a moment to end
        faults = [r for r in results if isinstance(r, Exception)]
        assert not faults, faults

    async def _list(self, plural: str) -> str:
        answer = await self.ask("GET", path(plural))
        for body in answer["items"]:
            self._see(plural, "ADDED", body)
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, plural: str, version: str) -> None:
        while True:
            url = f"{self.server}{path(plural)}?watch=1&resourceVersion={version}&allowWatchBookmarks=true"
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(url) as answer:
                    async for line in _lines(answer.content):
                        event = json.loads(line)
                        assert event["type"] != "ERROR", event
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            self._see(plural, event["type"], event["object"])
            await asyncio.sleep(0.1)

    def _see(self, plural: str, kind: str, body: Body) -> None:
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        self.note(plural, kind, body)  # first: a test's thread may look in between, for the moment of what is there
        if kind == "DELETED":
            self.objects[plural].pop(key, None)
        else:
            self.objects[plural][key] = body
        for watcher in self.watchers:
            watcher(plural, kind, body)


async def _lines(stream: aiohttp.StreamReader) -> Any:  # noqa: ANN401 (an asynchronous generator)
    """Lines of any length: the stream's own end at 128 KiB."""
    rest = b""
    async for chunk in stream.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
