"""The gate's pure parts: what HAProxy sends, what is read of a request, and when a request is let go."""

from __future__ import annotations

import struct

import pytest

from webgarden_listener.gate import head as heads
from webgarden_listener.gate import proxy, views
from webgarden_listener.gate.holding import Carry, Hands, Refuse, Request, Wait

KEY = "ns/pool"


def header(
    *values: tuple[int, bytes], family: int = 0x11, addresses: bytes = b"\x7f\0\0\1\x7f\0\0\1\x12\x34\0\x50"
) -> bytes:
    body = addresses + b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in values)
    return proxy.SIGNATURE + bytes([0x21, family]) + struct.pack("!H", len(body)) + body


def parsed(data: bytes) -> proxy.Origin:
    assert proxy.rest(data[: proxy.PREFIX]) == len(data) - proxy.PREFIX
    return proxy.origin(data[: proxy.PREFIX], data[proxy.PREFIX :])


def test_a_proxy_header_says_which_pool_and_when() -> None:
    found = parsed(header((0xE0, b"ns:pool"), (0x04, b"ignored"), (0xE1, b"1795354573849")))
    assert (found.backend, found.arrival) == ("ns:pool", 1795354573.849)


def test_a_proxy_header_of_a_client_with_ipv6_is_understood() -> None:
    assert parsed(header((0xE0, b"ns:pool"), family=0x21, addresses=bytes(36))).backend == "ns:pool"


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", header((0xE1, b"1")), header((0xE0, b"ns:pool"))[:-1], proxy.SIGNATURE + b"\x11\x11\0\0"],
)
def test_what_is_no_proxy_header_is_refused(data: bytes) -> None:
    with pytest.raises(proxy.ProxyError):
        proxy.rest(data[: proxy.PREFIX])
        proxy.origin(data[: proxy.PREFIX], data[proxy.PREFIX :])


@pytest.mark.parametrize(
    ("lines", "upgrade", "body"),
    [
        ("GET / HTTP/1.1\r\nHost: a", False, False),
        ("DELETE / HTTP/1.1\r\nContent-Length: 0", False, False),
        ("POST / HTTP/1.1\r\ncontent-length: 5", False, True),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", False, True),
        ("GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket", True, False),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a", True, False),
    ],
)
def test_a_head_says_whether_something_follows(lines: str, upgrade: bool, body: bool) -> None:
    found = heads.head(lines.encode() + heads.END)
    assert (found.upgrade, found.body) == (upgrade, body)


def test_a_worker_is_asked_to_close_but_not_for_an_upgrade() -> None:
    plain = heads.head(b"GET / HTTP/1.1\r\nHost: a\r\nconnection: keep-alive\r\n\r\n")
    assert plain.for_worker == b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    upgrade = heads.head(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\n\r\n")
    assert upgrade.for_worker == upgrade.raw


def test_a_refusal_names_its_reason_and_when_to_come_back() -> None:
    said = heads.unavailable("Disabled", 7).decode()
    assert "X-Webgarden-Reason: Disabled\r\n" in said
    assert "Retry-After: 7\r\n" in said
    assert "Retry-After" not in heads.unavailable("Disabled", 0).decode()


def test_what_agent_and_gate_say_arrives_as_it_was() -> None:
    worker = views.WorkerView("w", "10.0.0.1", 80, room=3)
    said = views.Orders(True, {KEY: views.PoolView(5, workers=(worker,)), "ns/gone": None}, 7)
    assert views.orders(views.encode(said)) == said
    hand = views.Hand(KEY, 2, {"w": 1}, {"w": 9}, 3, "boot")
    assert views.answer(views.encode(hand)) == hand
    assert views.answer(views.encode(views.Obeyed(7))) == views.Obeyed(7)


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"pools": 1}', b'{"whole": true, "pools": {"a": {}}}'])
def test_what_is_none_of_these_is_refused(line: bytes) -> None:
    with pytest.raises(views.ViewError):
        views.orders(line)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hands(clock: Clock) -> Hands:
    return Hands(boot="b", clock=clock)


def request() -> Request:
    return Request(proxy.Origin("ns:pool", 1000.0), heads.head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))


def told(hands: Hands, *workers: views.WorkerView, stopped: str = "", whole: bool = True) -> None:
    hands.obey(views.Orders(whole, {KEY: views.PoolView(30, stopped, 0, workers)}))


READY = views.WorkerView("w", "10.0.0.1", 80, room=1)
FULL = views.WorkerView("v", "10.0.0.2", 80, room=0)


def test_a_request_waits_until_the_agent_has_spoken(hands: Hands) -> None:
    assert isinstance(hands.decide(request(), since=1000.0), Wait)


def test_a_request_waits_for_a_worker_and_no_longer_than_the_pool_says(hands: Hands, clock: Clock) -> None:
    told(hands)
    assert hands.decide(request(), since=1000.0) == Wait(30.0)
    clock.now = 1030.0
    assert hands.decide(request(), since=1000.0) == Refuse("QueueTimeout", 1)


def test_a_request_is_carried_to_the_worker_that_has_room(hands: Hands) -> None:
    told(hands, FULL)
    assert isinstance(hands.decide(request(), since=1000.0), Wait)
    told(hands, FULL, READY)
    assert hands.decide(request(), since=1000.0) == Carry(READY)


def test_no_more_is_carried_than_there_is_room(hands: Hands) -> None:
    told(hands, READY)
    hands.hand(KEY).spliced["w"] = 1
    assert isinstance(hands.decide(request(), since=1000.0), Wait)


def test_a_worker_that_refused_is_left_alone_for_a_moment(hands: Hands, clock: Clock) -> None:
    told(hands, READY)
    hands.refused_by(READY)
    assert isinstance(hands.decide(request(), since=1000.0), Wait)
    assert hands.suspicion(request()) == pytest.approx(0.2)
    clock.now += 1
    assert hands.suspicion(request()) is None
    assert hands.decide(request(), since=1000.0) == Carry(READY)


def test_a_stopped_pool_and_a_pool_that_went_are_refused(hands: Hands) -> None:
    told(hands, READY, stopped="Disabled")
    assert hands.decide(request(), since=1000.0) == Refuse("Disabled", 0)
    hands.obey(views.Orders(False, {KEY: None}))
    assert hands.decide(request(), since=1000.0) == Refuse("PoolMissing", 1)


def test_a_splice_is_known_as_long_as_its_worker_is(hands: Hands) -> None:
    told(hands, READY)
    assert hands.knows(KEY, "w")
    told(hands, whole=False)
    assert not hands.knows(KEY, "w")


async def test_an_order_wakes_those_whom_it_may_concern(hands: Hands) -> None:
    told(hands)
    here, there = hands.hand(KEY).pulse, hands.hand("ns/other").pulse
    told(hands, READY, whole=False)
    assert here.is_set()
    assert not there.is_set()
