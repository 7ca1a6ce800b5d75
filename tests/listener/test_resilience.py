"""Every part may die alone, and the operator may be away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from tests.listener.load import Load
from tests.listener.place import Place
from tests.listener.waiting import until

from webgarden_link import PROTOCOL, Application, Binding, Hello, Pool, Site, WorkerState

Fresh = Callable[..., Place]


async def test_an_agent_that_is_killed_and_replaced_costs_no_request(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    boot = place.operator.reports[place.key()].boot
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for _ in range(2):
            place.node.kill("agent")
            await gets.more()
            links = len(place.operator.hellos)
            place.node.start("agent")
            await until(lambda links=links: len(place.operator.hellos) > links)  # type: ignore[misc]
            place.operator.reports.clear()
            await place.serving(worker)
            await gets.more()
        place.node.kill("agent")
        await gets.more()
    place.node.start("agent")
    assert set(gets.outcomes + posts.outcomes) == {"200"}
    await place.counted(worker, (gets.outcomes + posts.outcomes).total())
    assert place.operator.reports[place.key()].boot == boot
    assert {hello.listener for hello in place.operator.hellos} == {"listener-test"}


async def test_requests_that_wait_outlive_the_agent(fresh: Fresh) -> None:
    place = fresh()
    await place.pool()
    await place.site()
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(10)]
        await place.demanded()
        place.node.kill("agent")
        place.operator.demands.clear()
        place.node.start("agent")
        await place.demanded()
        worker = place.worker()
        await place.pool(workers=(worker,))
        assert [(await request).status for request in held] == [200] * 10


async def test_an_agent_that_is_away_for_fifteen_seconds_costs_nobody_a_request(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.pool("cold")
    await place.pool(workers=(worker,))
    await place.site(pool="/", cold="/cold")
    await place.serving(worker)
    async with place.session() as session, Load(place) as warm:
        place.node.kill("agent")
        away = time.monotonic()
        held = [asyncio.create_task(session.get("/cold")) for _ in range(10)]
        await until(lambda: place.waiting("cold") == 10)
        await until(lambda: time.monotonic() - away >= 15, seconds=20)
        place.node.start("agent")
        await place.demanded("cold")
        await place.pool("cold", workers=(place.worker("w2"),))
        assert [(await request).status for request in held] == [200] * 10
    assert set(warm.outcomes) == {"200"}


async def test_an_agent_that_is_killed_nine_times_while_workers_come_and_go_costs_no_request(fresh: Fresh) -> None:
    place = fresh()
    place.limit = 3
    workers = [place.worker(f"w{number}") for number in range(2)]
    await place.up(*workers)
    async with Load(place, clients=16) as gets, Load(place, clients=8, method="POST") as posts:
        for number in range(9):
            leaving, staying = workers[number % 2], workers[(number + 1) % 2]
            await gets.more(30)
            leaving.becomes(WorkerState.DRAINING)
            staying.becomes(WorkerState.ACTIVE)
            place.operator.put(place.described("pool", tuple(workers) if number % 3 else (staying,), {}))
            place.node.kill("agent")
            await gets.more(30)
            place.node.start("agent")
            await place.serving(staying)
    assert set(gets.outcomes + posts.outcomes) == {"200"}


async def test_totals_begin_anew_with_another_haproxy_which_has_another_boot(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    boots = []
    for count in (20, 5):
        async with place.session() as session:
            for _ in range(count):
                async with session.get("/") as answer:
                    assert answer.status == 200
        await place.counted(worker, count)
        boots.append(place.operator.reports[place.key()].boot)
        place.node.kill("haproxy")
        place.node.start("haproxy")
        await until(lambda: place.node.status("/readyz") == 200)
    assert len(set(boots)) == 2


async def test_a_killed_haproxy_starts_from_disk_with_the_workers_before_the_operator_is_heard(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.operator.away()
    await place.saved()
    place.node.kill("agent")
    place.node.kill("haproxy")
    place.node.start("haproxy")
    place.node.wait_ready()
    async with place.session() as session, session.get("/") as answer:
        assert (answer.status, (await answer.json())["worker"]) == (200, "w1")


async def test_a_killed_haproxy_is_brought_to_the_present_by_the_agent(fresh: Fresh) -> None:
    place = fresh()
    old, new = place.worker("old"), place.worker("new")
    await place.up(old)
    place.node.kill("haproxy")
    place.operator.put(Pool(key=place.key(), workers=(new.worker,)))
    place.node.start("haproxy")
    await place.serving(new)
    async with place.session() as session:
        for _ in range(5):
            async with session.get("/") as answer:
                assert (await answer.json())["worker"] == "new"


async def test_a_listener_that_starts_anew_serves_what_it_served_before_it_hears_the_operator(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.operator.away()
    await place.saved()
    for part in ("agent", "haproxy"):
        place.node.kill(part)
    (place.node.run / "haproxy.cfg").unlink()
    place.node.start()
    place.node.wait_ready()
    async with place.session() as session, session.get("/") as answer:
        assert answer.status == 200


async def test_warm_traffic_goes_on_while_the_operator_is_away_and_it_learns_the_totals_after(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    async with Load(place) as load:
        place.operator.away()
        await load.more()
        place.operator.start()
        await until(lambda: place.operator.linked)
        await load.more()
    assert set(load.outcomes) == {"200"}
    await place.counted(worker, load.outcomes.total())


async def test_a_new_operator_hears_no_reports_with_another_ones_versions(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    await place.pool("cold")
    await place.site(pool="/", cold="/cold")
    place.operator.away()
    async with place.session() as session:
        held = asyncio.create_task(session.get("/cold"))
        place.operator.heard.clear()
        place.operator.demands.clear()
        place.operator.silent = True
        place.operator.version = 0
        place.operator.start()
        await until(lambda: place.operator.heard)
        await until(lambda: place.waiting("cold") == 1)
        assert {type(message) for message in place.operator.heard} == {Hello}
        place.operator.reports.clear()
        place.operator.silent = False
        place.operator.greet()
        await until(lambda: len(place.operator.reports) == 2)
        assert place.operator.state(place.key(), "w1") == "Serving"
        await place.demanded("cold")
        held.cancel()


async def test_a_cold_request_waits_for_an_operator_that_is_away(fresh: Fresh) -> None:
    place = fresh()
    await place.pool()
    await place.site()
    place.operator.away()
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        worker = place.worker()
        place.operator.start()
        await place.demanded()
        await place.pool(workers=(worker,))
        assert (await held).status == 200


@pytest.mark.parametrize(
    "content", ["{", '{"format": 99, "table": {"version": 1}}', ""], ids=["cut", "foreign", "empty"]
)
async def test_a_broken_state_file_counts_as_empty(fresh: Fresh, content: str) -> None:
    place = fresh(ready=False)
    place.node.run.mkdir()
    (place.node.run / "state.json").write_text(content)
    place.node.start()
    place.node.wait_ready()
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session, session.get("/") as answer:
        assert answer.status == 200


async def test_an_agent_that_dies_before_the_disk_knows_what_haproxy_knows_costs_nobody_a_request(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    await place.saved()
    old = (place.node.run / "state.json").read_text()
    await place.pool("newer", workers=(worker,))
    await place.site(pool="/", newer="/newer")
    place.operator.away()
    place.node.kill("agent")
    (place.node.run / "state.json").write_text(old)
    async with Load(place, path="/newer") as load:
        place.node.start("agent")
        await until(lambda: "No link to the operator" in place.node.said())
        await load.more()
    assert set(load.outcomes) == {"200"}


async def test_what_was_removed_while_the_agent_was_away_is_gone_when_it_is_back(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.node.kill("agent")
    place.operator.remove(pools=(place.key(),), sites=(place.key("site"),))
    place.node.start("agent")
    await until(lambda: not place.servers())
    async with place.session() as session, session.get("/") as answer:
        assert answer.headers["X-Webgarden-Reason"] == "NoSite"


async def test_a_new_listener_is_ready_when_it_knows_the_sites_and_not_before(fresh: Fresh) -> None:
    place = fresh(ready=False)
    worker = place.worker()
    application = Application(path="/", pool=place.key())
    site = Site(key=place.key("site"), bindings=(Binding(port=80, host=place.host),), applications=(application,))
    place.operator.put(place.described("pool", (worker,), {}), site)
    place.node.start()
    await until(lambda: place.node.status("/readyz") == 200)
    async with place.session() as session, session.get("/") as answer:
        assert answer.status == 200, answer.headers


async def test_a_refused_listener_keeps_serving_and_asks_again(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.operator.refusal = f"protocol {PROTOCOL} is too old"
    place.operator.away()
    place.operator.start()
    await until(lambda: "is too old" in place.node.said())
    async with place.session() as session, session.get("/") as answer:
        assert answer.status == 200
    place.operator.refusal = None
    await until(lambda: place.operator.linked, seconds=20)


async def test_an_unknown_kind_of_message_ends_the_link_which_comes_back(fresh: Fresh) -> None:
    place = fresh()
    await until(lambda: place.operator.linked)
    links = len(place.operator.hellos)
    place.operator.say('{"kind": "Surprise"}')
    await until(lambda: len(place.operator.hellos) > links)
    assert "Surprise" in place.node.said()


async def test_names_that_are_none_hurt_nobody_else(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    place.operator.put(
        Pool(key="bad name/with\nnewline"),
        Site(key="x/y z", bindings=(Binding(port=80, host="a b"),), applications=(Application(path="/", pool="p"),)),
    )
    await place.put(Site(key=place.key("bad"), bindings=(Binding(port=80, host="a b"),), applications=()))
    await place.up(worker)
    async with place.session() as session, session.get("/") as answer:
        assert answer.status == 200
    assert "makes no sense to HAProxy: pool or site 'x/y z'" in place.node.said()


async def test_nothing_in_a_site_is_a_command_to_haproxy(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    evil = "x\n\n@1 disable frontend www"
    applications = (
        Application(path="/evil", pool=evil),
        Application(path=f"/{evil}", pool=place.key()),
        Application(path="/", pool=place.key()),
        Application(path="/a;b", pool=place.key("missing")),
    )
    await place.pool(workers=(worker,))
    await place.put(
        Site(key=place.key("site"), bindings=(Binding(port=80, host=place.host),), applications=applications)
    )
    await place.serving(worker)
    async with place.session() as session:
        for path in ("/", "/evil", "/a;b/c"):
            async with session.get(path) as answer:
                assert answer.status == 200
    said = place.node.said()
    assert said.count("makes no sense to HAProxy: application") == 3
    assert repr(evil) in said


async def test_an_agent_ends_when_it_is_told(fresh: Fresh) -> None:
    process = fresh().node.processes["agent"]
    process.terminate()
    await until(lambda: process.poll() is not None)
    assert process.returncode == 0


async def test_the_token_is_sent_and_read_again_for_each_link(fresh: Fresh) -> None:
    place = fresh(ready=False)
    token = place.node.directory / "token"
    token.write_text("first\n")
    place.node.set("token_file", str(token))
    place.node.start()
    await until(lambda: place.operator.tokens == ["Bearer first"])
    token.write_text("second")
    place.operator.away()
    place.operator.start()
    await until(lambda: place.operator.tokens[-1] == "Bearer second")
