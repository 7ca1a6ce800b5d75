"""Which pool a request belongs to, and what its worker learns of the client."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from tests.listener.place import Place, Running

from webgarden_link import Application, Binding, Site


async def said_to(
    place: Place, host: str, path: str, *, port: int = 0, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    """Status, and either what the worker said or the reason of the refusal."""
    url = f"http://127.0.0.1:{port or place.node.port}{path}"
    async with aiohttp.ClientSession(headers={"Host": host, **(headers or {})}) as session, session.get(url) as answer:
        if answer.status == 200:
            return 200, await answer.json()
        return answer.status, {"reason": answer.headers.get("X-Webgarden-Reason", "")}


def asked_raw(place: Place, target: str, *fields: str) -> str:
    """A request target that no client library would send as it is."""
    with socket.create_connection(("127.0.0.1", place.node.port), timeout=10) as client:
        lines = [f"GET {target} HTTP/1.1", f"Host: {place.host}", "Connection: close", *fields, "", ""]
        client.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


@pytest.fixture
async def two(place: Place) -> tuple[Running, Running]:
    workers = (place.worker("root"), place.worker("api"))
    await place.pool("root", workers=workers[:1])
    await place.pool("api", workers=workers[1:])
    await place.serving(workers[0], pool="root")
    await place.serving(workers[1], pool="api")
    return workers


@pytest.mark.usefixtures("two")
async def test_the_longest_path_wins_in_whole_segments_and_whatever_case(place: Place) -> None:
    await place.site(root="/", api="/Api")
    found = {
        path: (await said_to(place, place.host, path))[1]["worker"]
        for path in ("/", "/api", "/API/v1?x=/y", "/api/", "/apiary", "/other/api", "/%61pi/x")
    }
    assert found == {
        "/": "root",
        "/api": "api",
        "/API/v1?x=/y": "api",
        "/api/": "api",
        "/apiary": "root",
        "/other/api": "root",
        "/%61pi/x": "api",
    }


@pytest.mark.usefixtures("two")
async def test_dots_in_a_path_lead_where_the_worker_will_see_them_lead(place: Place) -> None:
    await place.site(root="/", api="/api")
    answers = {
        target: asked_raw(place, target) for target in ("/api/../x", "/x/%2e%2E/api/y", "/api/./y", "/../../api")
    }
    workers = {target: "api" if '"worker": "api"' in answer else "root" for target, answer in answers.items()}
    assert workers == {"/api/../x": "root", "/x/%2e%2E/api/y": "api", "/api/./y": "api", "/../../api": "api"}
    assert '"path": "/api/y"' in answers["/x/%2e%2E/api/y"]


@pytest.mark.usefixtures("two")
async def test_several_slashes_are_one_and_encoded_ones_are_none(place: Place) -> None:
    await place.site(root="/", api="/api")
    found = {
        target: "api" if '"worker": "api"' in asked_raw(place, target) else "root"
        for target in ("//api/x", "/x/..//api/x", "/%2e%2e/api", "/%61pi", "/api%2Fx", "/api%5Cx", "/x/..%2Fapi")
    }
    assert found == {
        "//api/x": "api",
        "/x/..//api/x": "api",
        "/%2e%2e/api": "api",
        "/%61pi": "api",
        "/api%2Fx": "root",
        "/api%5Cx": "root",
        "/x/..%2Fapi": "root",
    }


@pytest.mark.usefixtures("two")
async def test_who_names_no_host_gets_the_site_for_any(place: Place) -> None:
    await place.put(
        Site(
            key=place.key("any"),
            bindings=(Binding(port=81),),
            applications=(Application(path="/", pool=place.key("api")),),
        )
    )
    with socket.create_connection(("127.0.0.1", place.node.other_port), timeout=10) as asking:
        asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
    assert '"worker": "api"' in answer


@pytest.mark.usefixtures("two")
async def test_hosts_match_exactly_then_by_the_longest_suffix_then_any(place: Place) -> None:
    root, api = place.key("root"), place.key("api")
    await place.put(
        Site(
            key=place.key("exact"),
            bindings=(Binding(port=80, host=f"www.{place.host}"), Binding(port=80, host=f"*.{place.host}")),
            applications=(Application(path="/", pool=root),),
        ),
        Site(
            key=place.key("longer"),
            bindings=(Binding(port=80, host=f"*.deep.{place.host}"), Binding(port=81)),
            applications=(Application(path="/", pool=api),),
        ),
    )
    host = place.host
    names = (f"www.{host}", f"WWW.{host.upper()}", f"www.{host}:8080", f"www.{host}.", f"a.{host}", f"a.b.{host}")
    for name in names:
        assert (await said_to(place, name, "/"))[1]["worker"] == "root", name
    assert (await said_to(place, f"a.deep.{host}", "/"))[1]["worker"] == "api"
    assert await said_to(place, host, "/") == (404, {"reason": "NoSite"})
    assert (await said_to(place, "anything.else", "/", port=place.node.other_port))[1]["worker"] == "api"
    assert (await said_to(place, f"www.{host}", "/", port=place.node.other_port))[1]["worker"] == "api"


@pytest.mark.usefixtures("two")
async def test_what_belongs_to_nobody_is_answered_404_with_the_reason(place: Place) -> None:
    await place.site(api="/api")
    assert await said_to(place, "nobody.example.net", "/") == (404, {"reason": "NoSite"})
    assert await said_to(place, place.host, "/") == (404, {"reason": "NoApplication"})


@pytest.mark.usefixtures("two")
async def test_a_missing_pool_is_the_matter_of_its_path_alone(place: Place) -> None:
    await place.site(root="/", missing="/missing")
    assert await said_to(place, place.host, "/missing/x") == (503, {"reason": "PoolMissing"})
    assert (await said_to(place, place.host, "/"))[0] == 200


@pytest.mark.usefixtures("two")
async def test_a_removed_pool_is_missing_at_once(place: Place) -> None:
    await place.site(root="/", api="/api")
    place.operator.remove(pools=(place.key("api"),))
    await place.site(root="/", api="/api")
    assert await said_to(place, place.host, "/api") == (503, {"reason": "PoolMissing"})
    assert (await said_to(place, place.host, "/"))[0] == 200


@pytest.mark.usefixtures("two")
async def test_a_site_moves_from_pool_to_pool(place: Place) -> None:
    await place.site(root="/")
    assert (await said_to(place, place.host, "/"))[1]["worker"] == "root"
    await place.site(api="/")
    assert (await said_to(place, place.host, "/"))[1]["worker"] == "api"


@pytest.mark.usefixtures("two")
async def test_a_worker_learns_of_the_client_and_cannot_be_lied_to(place: Place) -> None:
    await place.site(root="/")
    lies = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Webgarden-Site": "other/site",
        "X_Webgarden_Site": "other/site",
        "x_forwarded_proto": "https",
    }
    _, said = await said_to(place, place.host, "/", headers=lies)
    headers: dict[str, list[str]] = said["headers"]  # type: ignore[assignment]
    assert {name: value for name, value in headers.items() if name.startswith(("x-", "x_"))} == {
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-proto": ["http"],
        "x-forwarded-host": [place.host],
        "x-webgarden-site": [place.key("site")],
    }


async def test_many_sites_fit_into_the_maps(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    sites = [
        Site(
            key=place.key(f"site{number}"),
            bindings=(
                Binding(port=80, host=f"{'long-' * 8}{number}.{place.host}"),
                Binding(port=80, host=f"*.{number}.{place.host}"),
            ),
            applications=(Application(path="/", pool=place.key()),),
        )
        for number in range(300)
    ]
    await place.put(*sites)
    for number in (0, 150, 299):
        for host in (f"{'long-' * 8}{number}.{place.host}", f"x.{number}.{place.host}"):
            status, said = await said_to(place, host, "/")
            headers: dict[str, list[str]] = said["headers"]  # type: ignore[assignment]
            assert (status, headers["x-webgarden-site"]) == (200, [place.key(f"site{number}")])
