"""Who is let in at the link, and what is made of what they say."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import aiohttp
import pytest
from tests.operator.garden import SYSTEM, Garden, Yard
from tests.operator.played_listener import credentials
from tests.operator.world import until

import webgarden_link as link

HOST = f"webgarden-link.{SYSTEM}.svc"


@dataclass
class Answer:
    """What a stranger heard."""

    status: int = 101
    messages: list[link.Message] = field(default_factory=list)
    closed: bool = False


def knock(garden: Garden, context: ssl.SSLContext, token: str, *frames: str, host: str = HOST) -> Answer:
    """Come in with this token, say these frames, and listen until the operator closes."""

    async def go() -> Answer:
        answer = Answer()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"wss://127.0.0.1:{garden.operator.link_port}/link"
        async with aiohttp.ClientSession(trust_env=False) as session:
            try:
                async with session.ws_connect(url, headers=headers, ssl=context, server_hostname=host) as socket:
                    for frame in frames:
                        await socket.send_str(frame)
                    async with asyncio.timeout(30):
                        async for heard in socket:
                            answer.messages.append(link.decode(heard.data))
                    answer.closed = True
            except aiohttp.WSServerHandshakeError as error:
                answer.status = error.status
        return answer

    return garden.world.call(go())


def badge(garden: Garden, **how: object) -> tuple[ssl.SSLContext, str]:
    """The credentials of the first listener, or as told."""
    listener = garden.listeners[0]
    given = {"pod": (listener.name, listener.uid), **how}
    return garden.world.call(credentials(garden.world, SYSTEM, **given))  # type: ignore[arg-type]


def hello(garden: Garden, *, protocol: int = link.PROTOCOL) -> str:
    return link.encode(link.Hello(listener=garden.listeners[0].name, protocol=protocol))


def test_who_shows_no_token_is_refused_and_told_of(garden: Garden) -> None:
    context, _ = badge(garden)
    assert knock(garden, context, "").status == 401
    assert "came without a token" in garden.operator.said()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"audience": "https://kubernetes.default.svc.cluster.local"}, "the token is not valid for the link"),
        ({"account": "default", "pod": None}, f"system:serviceaccount:{SYSTEM}:default is no listener"),
        ({"pod": None}, "the token is bound to no pod"),
    ],
)
def test_a_token_that_is_not_a_listeners_is_refused_and_told_of(
    garden: Garden, how: dict[str, object], told: str
) -> None:
    context, token = badge(garden, **how)
    assert knock(garden, context, token, hello(garden)).status == 403
    until(lambda: told in garden.operator.said(), "it is in the log")
    assert token not in garden.operator.said()


def test_something_that_is_no_token_is_refused(garden: Garden) -> None:
    context, _ = badge(garden)
    assert knock(garden, context, "made-up", hello(garden)).status == 403


def test_the_operator_proves_who_it_is(garden: Garden) -> None:
    context, token = badge(garden)
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        knock(garden, context, token, host="elsewhere.test")
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        knock(garden, ssl.create_default_context(), token)


def test_a_newer_protocol_is_refused_with_a_sentence(garden: Garden) -> None:
    context, token = badge(garden)
    answer = knock(garden, context, token, hello(garden, protocol=link.PROTOCOL + 1))
    (refusal,) = answer.messages
    assert isinstance(refusal, link.Refusal)
    assert f"the listener {link.PROTOCOL + 1}" in refusal.reason
    assert answer.closed
    assert "use images of one release" in garden.operator.said()


def test_who_does_not_say_hello_first_is_refused(garden: Garden) -> None:
    context, token = badge(garden)
    answer = knock(garden, context, token, link.encode(link.Demand(pool="a/shop")))
    assert [type(m) for m in answer.messages] == [link.Refusal]
    assert answer.closed


def test_a_kind_that_is_not_known_ends_the_connection(garden: Garden) -> None:
    context, token = badge(garden)
    answer = knock(garden, context, token, hello(garden), '{"kind": "Gossip"}')
    assert isinstance(answer.messages[0], link.Table)
    assert answer.closed
    until(lambda: "is disconnected" in garden.operator.said(), "it is told")


def test_a_kind_that_is_the_operators_own_ends_the_connection(garden: Garden) -> None:
    context, token = badge(garden)
    answer = knock(garden, context, token, hello(garden), link.encode(link.Table()))
    assert answer.closed
    until(lambda: "Table is not a listener's to send" in garden.operator.said(), "it is told")


def test_a_listener_that_says_nothing_more_is_missed_and_comes_back(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    yard.warm()
    silent = yard.garden.listeners[1]
    silent.hush()
    until(lambda: yard.garden.operator.metric("webgarden_link_listeners") == 1, "it is missed")
    silent.wake()
    until(lambda: yard.garden.operator.metric("webgarden_link_listeners") == 2, "it is back")
    until(lambda: len(yard.serving()) == 1, "all is as before")


def test_totals_are_kept_when_a_listener_reconnects_and_when_its_haproxy_starts_anew(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    yard.warm()
    listener = yard.garden.listeners[0]

    def served(count: int) -> None:
        for _ in range(count):
            listener.finish(listener.request(yard.key()))

    def counted() -> int:
        (worker,) = yard.status()["workers"]
        return int(worker["requests"])

    served(3)
    until(lambda: counted() == 3, "three")
    listener.disconnect()
    listener.connect()
    until(lambda: listener.connected, "it is back")
    served(2)
    until(lambda: counted() == 5, "and two")
    listener.reboot()
    served(1)
    until(lambda: counted() == 6, "and one of the new one")


def test_a_listener_that_is_missing_is_in_the_condition(garden: Garden) -> None:
    def server() -> dict[str, object]:
        found: dict[str, object] = garden.world.objects["webservers"]["", "default"]["status"]
        return found

    until(lambda: server()["listeners"] == 2, "both are counted")
    garden.listeners[0].disconnect()
    until(lambda: server()["listeners"] == 1, "one is missed")
    assert "ListenersMissing" in str(server()["conditions"])


def test_who_comes_in_twice_is_heard_on_the_newer_connection_and_loses_the_older(garden: Garden) -> None:
    listener = garden.listeners[0]
    context, token = badge(garden)
    assert isinstance(knock(garden, context, token, hello(garden), '{"kind": "Bye"}').messages[0], link.Table)
    until(lambda: f"{listener.name} has come in anew and is disconnected" in garden.operator.said(), "it is told")
    until(lambda: listener.connected and garden.operator.metric("webgarden_link_listeners") == 2, "it comes back")
