"""What travels on to a worker, byte by byte, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.listener.place import Place
from tests.listener.raw import Acted, Exchange, acted, client

from webgarden_link import Application, Binding, Site


@pytest.fixture
async def worker(place: Place) -> AsyncIterator[Acted]:
    async with acted(place) as made:
        await place.up(made.running)
        yield made


def fields(head: bytes) -> dict[str, list[str]]:
    """What a worker got, by names in lower case."""
    found: dict[str, list[str]] = {}
    for line in head.decode().split("\r\n")[1:-2]:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


async def test_what_says_who_a_client_is_comes_from_the_listener_alone(place: Place, worker: Acted) -> None:
    lies = (
        "Forwarded: for=192.0.2.1",
        "X-Real-IP: 192.0.2.1",
        "X_Real_IP: 192.0.2.1",
        "Proxy: http://evil.example",
        "Proxy-Connection: keep-alive",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 1",
        "X-Forwarded-Anything: 1",
        "X_Forwarded_For: 192.0.2.1",
        "x_forwarded-proto: https",
        "X-Webgarden-Site: other/site",
        "X_Webgarden_Site: other/site",
        "X-Webgarden-Anything: 1",
    )
    async with client(place) as asking:
        assert (await asking.ask("/", *lies, "X-Mine: kept")).status == 200
    assert fields(worker.heads[0]) == {
        "host": [place.host],
        "x-mine": ["kept"],
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-proto": ["http"],
        "x-forwarded-host": [place.host],
        "x-webgarden-site": [place.key("site")],
    }


async def test_what_a_client_names_for_one_hop_does_not_take_our_own_fields_off(place: Place, worker: Acted) -> None:
    async with client(place) as asking:
        asking.send(asking.request("/", "Connection: X-Forwarded-For, X-Webgarden-Site, close"))
        assert (await asking.answer()).status == 200
    found = fields(worker.heads[0])
    assert "connection" not in found
    assert found["x-forwarded-for"] == ["127.0.0.1"]
    assert found["x-webgarden-site"] == [place.key("site")]


async def test_an_upgrade_travels_on_whatever_else_its_connection_field_names(place: Place) -> None:
    async def upgrade(exchange: Exchange) -> None:
        accepted = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3: the key's answer
        switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await exchange.say(switched + accepted + b"\r\n\r\n")
        await exchange.say((await exchange.reader.readexactly(4)).upper())

    handshake = (
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    async with acted(place, upgrade) as worker, client(place) as talking:
        await place.up(worker.running)
        assert (await talking.ask("/", *handshake)).status == 101
        talking.send(b"ping")
        assert await talking.piece() == b"PING"
        found = fields(worker.heads[0])
    assert (found["upgrade"], [value.lower() for value in found["connection"]]) == (["websocket"], ["upgrade"])


@pytest.mark.parametrize(
    ("line", "status"), [("CONNECT t:80", 405), ("CONNECT /", 405), ("TRACE /", 405), ("OPTIONS *", 204)]
)
async def test_what_is_no_applications_business_reaches_no_worker_and_wakes_no_pool(
    place: Place, line: str, status: int
) -> None:
    await place.pool("cold")
    await place.put(
        Site(
            key=place.key("any"),
            bindings=(Binding(port=80, host=place.host), Binding(port=80, host="t")),
            applications=(Application(path="/", pool=place.key("cold")),),
        )
    )
    async with client(place) as asking:
        method, _, target = line.partition(" ")
        answer = await asyncio.wait_for(asking.ask(target, method=method), 5)
    assert place.waiting("cold") == 0
    assert place.operator.demands[place.key("cold")] == 0
    assert answer.status in (status, 400)
    if answer.status == 400:
        assert answer.reason == "BadRequest"
    else:
        assert "GET" in answer.headers["allow"]


async def test_the_query_is_nobodys_business_but_the_workers(place: Place, worker: Acted) -> None:
    targets = ("/?a=%41%7e/../b", "/x%41?a=%41%7e/../b&c=%2F%2e%2e", "/./x?..//%7e", "/?%61=%zz%", "/x?")
    async with client(place) as asking:
        for target in targets:
            assert (await asking.ask(target)).status == 200
    arrived = [head.split(b" ")[1].decode() for head in worker.heads]
    assert arrived == ["/?a=%41%7e/../b", "/xA?a=%41%7e/../b&c=%2F%2e%2e", "/x?..//%7e", "/?%61=%zz%", "/x?"]
