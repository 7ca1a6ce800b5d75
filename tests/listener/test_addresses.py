"""Clients of both families: each is told to the worker as what it is."""

from __future__ import annotations

import json
import urllib.request

import pytest
from tests.listener.place import Place
from tests.listener.raw import client

FAMILIES = {"IPv4": "127.0.0.1", "IPv6": "::1"}


@pytest.mark.parametrize("address", FAMILIES.values(), ids=FAMILIES.keys())
async def test_a_worker_learns_a_clients_address_of_either_family(place: Place, address: str) -> None:
    await place.up(place.worker())
    async with client(place, address=address) as asking:
        answer = await asking.ask()
    assert json.loads(answer.body)["headers"]["x-forwarded-for"] == [address]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_on_both_families(place: Place, host: str, path: str) -> None:
    with urllib.request.urlopen(f"http://{host}:{place.node.health_port}{path}", timeout=5) as answer:
        assert answer.status == 200
