"""Leaving: clients are told and lose nothing, whatever else is broken. A real HAProxy with as little as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from tests.listener.filesystem import fill, mounted
from tests.listener.haproxy_binary import haproxy
from tests.listener.node import SOURCES, free_ports
from tests.listener.waiting import until, until_async, until_now

from webgarden_listener.leaving import GONE, Front, ask, forget, front
from webgarden_listener.settings import Directory

CONFIGURATION = """
global
  nbthread 2
  stats socket unix@{run}/admin.sock mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 1s
frontend www
  bind 127.0.0.1:{port}
  http-after-response set-header Connection close if {{ nbsrv(node) eq 0 }}
  default_backend workers
frontend health
  bind 127.0.0.1:{health}
  http-request return status 200 if {{ path /healthz }}
  http-request return status 200 if {{ nbsrv(node) gt 0 }}
  http-request return status 503
backend workers
  server w 127.0.0.1:{worker}
backend node
  server ready 127.0.0.1:9
"""


class Listener:
    """HAProxy with one worker, and the hooks."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.directory = Directory(run)
        self.port, self.health, self._worker_port = free_ports(3)
        ports = {"port": self.port, "health": self.health, "worker": self._worker_port}
        self.directory.config.write_text(CONFIGURATION.format(run=run, **ports))
        program = Path(__file__).with_name("worker_program.py")
        self.worker = subprocess.Popen([sys.executable, str(program), "w", str(self._worker_port)])
        self.processes = [self.worker]
        self.haproxy = self.start()
        until_now(lambda: accepts(self._worker_port))

    def start(self) -> subprocess.Popen[bytes]:
        self.haproxy = self._spawn([str(haproxy()), "-db", "-f", str(self.directory.config)])
        until_now(lambda: accepts(self.health))
        return self.haproxy

    def hook(self, name: str = "leave", *, linger: float = 0.3, grace: float = 30.0) -> subprocess.Popen[bytes]:
        options = {"directory": self.run, "health-port": self.health, "linger": linger, "grace": grace}
        words = [f"--{option}={value}" for option, value in options.items()]
        return self._spawn([sys.executable, "-m", "webgarden_listener", name, *words])

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        self.processes.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SOURCES)}))
        return self.processes[-1]

    def front(self) -> Front | None:
        return front(ask(self.directory.admin, "show stat www 1 -1"))

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", timeout=aiohttp.ClientTimeout(total=60))

    async def ready(self) -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.health}/readyz") as answer:
            return answer.status == 200

    async def unready(self) -> bool:
        return not await self.ready()

    async def running(self) -> bool:
        """Whether the worker has a request in its hands."""
        url = f"http://127.0.0.1:{self._worker_port}/_counters"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return int((await answer.json())["running"]) == 1

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with contextlib.closing(Listener(tmp_path)) as made:
        yield made


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def ended(hook: subprocess.Popen[bytes], *, seconds: float = 15.0) -> None:
    await until(lambda: hook.poll() is not None, seconds=seconds)
    assert hook.returncode == 0


class Clients:
    """Each keeps its connection until it is told to close it."""

    def __init__(self, listener: Listener, count: int) -> None:
        self._listener = listener
        self.statuses: list[int] = []
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(count)]

    async def _ask(self) -> None:
        async with self._listener.session() as session:
            while True:
                async with session.post("/", data=b"x" * 1000) as answer:
                    await answer.read()
                    self.statuses.append(answer.status)
                    if answer.headers.get("Connection") == "close":
                        return  # the next connection would go to another listener

    async def gone(self) -> None:
        async with asyncio.timeout(15):
            await asyncio.gather(*self._tasks)


async def test_leaving_under_load_on_kept_connections_loses_nothing(listener: Listener) -> None:
    clients = Clients(listener, 40)
    await until(lambda: len(clients.statuses) > 400)
    hook = listener.hook()
    await clients.gone()
    await ended(hook)
    print(f"{len(clients.statuses)} requests, {clients.statuses.count(200)} x 200")
    assert clients.statuses == [200] * len(clients.statuses)
    assert listener.front() == Front(open=False, clients=0)
    assert not await listener.ready()


async def test_new_clients_are_served_until_the_ports_close(listener: Listener) -> None:
    hook = listener.hook(linger=1.5)
    await until_async(listener.unready)
    served = 0
    with contextlib.suppress(aiohttp.ClientConnectorError):  # refused, which no request is lost by
        while hook.poll() is None:
            async with listener.session() as session, session.get("/") as answer:
                assert (answer.status, answer.headers["Connection"]) == (200, "close")
                served += 1
    assert served > 10
    await ended(hook)


async def test_a_slow_request_is_waited_for(listener: Listener) -> None:
    async with listener.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=2"))
        await until_async(listener.running)
        hook = listener.hook()
        assert (await slow).status == 200
        assert hook.poll() is None
    await ended(hook)


async def test_an_idle_connection_ends_with_its_time_out(listener: Listener) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    hook = listener.hook()
    await reader.read()
    await ended(hook)
    writer.close()


async def test_when_the_grace_is_over_it_is_over(listener: Listener) -> None:
    async with listener.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=30"))
        await until_async(listener.running)
        await ended(listener.hook(grace=0.5), seconds=10)
        assert not slow.done()
        slow.cancel()


async def test_an_haproxy_that_died_while_leaving_leaves_when_it_is_back(listener: Listener) -> None:
    hook = listener.hook(linger=3)
    await until_async(listener.unready)
    listener.haproxy.kill()
    listener.haproxy.wait()
    listener.start()
    await ended(hook)
    assert listener.front() == Front(open=False, clients=0)
    assert not await listener.ready()


async def test_an_haproxy_that_ends_when_its_ports_are_closed_has_left(listener: Listener) -> None:
    async with listener.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=30"))
        await until_async(listener.running)
        hooks = [listener.hook(name, grace=300) for name in ("leave", "stay")]
        await until(lambda: (found := listener.front()) and not found.open)
        listener.haproxy.kill()
        with pytest.raises(aiohttp.ClientError):
            await slow
        for hook in hooks:
            await ended(hook, seconds=GONE)


async def test_an_haproxy_that_is_gone_is_not_waited_for(listener: Listener) -> None:
    listener.haproxy.kill()
    listener.haproxy.wait()
    await ended(listener.hook(grace=300), seconds=GONE + 10)


async def test_an_haproxy_that_hangs_is_not_waited_for(listener: Listener) -> None:
    listener.haproxy.send_signal(signal.SIGSTOP)
    await ended(listener.hook(grace=300), seconds=GONE + 15)


async def test_an_haproxy_that_serves_and_takes_no_orders_is_waited_for(listener: Listener) -> None:
    listener.directory.admin.unlink()
    async with listener.session() as session:
        slow = asyncio.create_task(session.get(f"/?seconds={GONE + 2}"))
        await until_async(listener.running)
        hook = listener.hook(grace=GONE + 4)
        assert (await slow).status == 200
        assert hook.poll() is None
    await ended(hook)


async def test_leaving_needs_no_room_on_the_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "run") as run, contextlib.closing(Listener(run)) as listener:
        fill(run)
        clients = Clients(listener, 10)
        await until(lambda: len(clients.statuses) > 50)
        hook = listener.hook()
        await clients.gone()
        await ended(hook)
        assert not listener.directory.leaving.exists()
        assert clients.statuses == [200] * len(clients.statuses)


async def test_a_hook_that_is_called_again_goes_by_the_time_of_the_first(listener: Listener) -> None:
    async with listener.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=30"))
        await until_async(listener.running)
        listener.directory.leaving.touch()
        began = time.time() - 100
        os.utime(listener.directory.leaving, (began, began))
        await ended(listener.hook(linger=50, grace=50), seconds=10)
        slow.cancel()


async def test_the_agent_stays_until_haproxy_has_left(listener: Listener) -> None:
    async with listener.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=2"))
        await until_async(listener.running)
        stay, leave = listener.hook("stay"), listener.hook("leave")
        assert (await slow).status == 200
        assert stay.poll() is None
    await ended(stay)
    await ended(leave)


async def test_an_agent_that_is_restarted_alone_makes_nobody_leave(listener: Listener) -> None:
    await ended(listener.hook("stay", linger=0.5))
    assert await listener.ready()
    assert not listener.directory.leaving.exists()


def test_a_container_of_haproxy_that_starts_has_not_left(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.leaving.touch()
    forget(directory)
    forget(directory)
    assert not directory.leaving.exists()


@pytest.mark.parametrize("answer", ["", "\n", "No such proxy.\n", "# pxname,svname\n"])
def test_an_answer_without_the_frontend_tells_nothing_of_it(answer: str) -> None:
    assert front(answer) is None
