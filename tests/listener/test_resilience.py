"""Every part may die alone, and the operator may be away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.listener.haproxy_binary import haproxy
from tests.listener.place import Place
from tests.listener.test_draining import Load, with_draining
from tests.listener.waiting import until

from webgarden_link import PROTOCOL, Application, Binding, Demand, Hello, Pool, Site

Fresh = Callable[..., Place]


async def test_an_agent_that_is_killed_and_replaced_costs_no_request(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
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
    total = (gets.outcomes + posts.outcomes).total()
    await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.requests >= total)
    assert (found := place.operator.worker(place.key(), "w1"))
    assert found.requests == total
    assert len({hello.boot for hello in place.operator.hellos}) == 1
    assert {hello.listener for hello in place.operator.hellos} == {"listener-test"}


async def test_totals_go_on_when_agent_and_haproxy_are_killed_and_begin_anew_in_a_new_pod(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    total = 0

    async def ask(count: int) -> int:
        async with place.session() as session:
            for _ in range(count):
                async with session.get("/") as answer:
                    assert answer.status == 200
        return total + count

    def counted() -> bool:
        found = place.operator.worker(place.key(), "w1")
        return bool(found and found.requests == total)

    def saved() -> bool:
        return f'"w1",{total}]' in (place.node.run / "counted.json").read_text()

    for parts in (("agent",), ("haproxy",), ("agent", "haproxy"), ("gate",)):
        total = await ask(20)
        await until(counted)
        await until(saved)
        for part in parts:
            place.node.kill(part)
        place.node.start(*parts)
        await until(lambda: place.node.status("/readyz") == 200)
    total = await ask(5)
    await until(counted)
    assert len({hello.boot for hello in place.operator.hellos}) == 1
    place.node.kill("agent")
    (place.node.run / "counted.json").unlink()
    place.node.start("agent")
    await until(lambda: len({hello.boot for hello in place.operator.hellos}) == 2)


async def test_a_request_that_the_gate_holds_outlives_the_agent(fresh: Fresh) -> None:
    place = fresh()
    await place.pool()
    await place.site()
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(10)]
        await until(lambda: place.operator.demands[place.key()])
        place.node.kill("agent")
        place.operator.demands.clear()
        place.node.start("agent")
        await until(lambda: place.operator.demands[place.key()])
        worker = place.worker()
        await place.pool(workers=(worker,))
        assert [(await request).status for request in held] == [200] * 10


async def test_a_gate_that_is_killed_while_it_holds_loses_one_request_at_most(fresh: Fresh) -> None:
    place = fresh()
    await place.pool()
    await place.site()
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(20)]
        await until(lambda: (found := place.operator.reports.get(place.key())) and found.queued == 20)
        os.kill(place.node.gate_child(), signal.SIGKILL)
        place.operator.demands.clear()
        await until(lambda: place.operator.demands[place.key()])
        worker = place.worker()
        await place.pool(workers=(worker,))
        statuses = [(await request).status for request in held]
    print(f"20 held, the gate's child killed: {statuses.count(200)} x 200, {statuses.count(502)} x 502")
    assert statuses.count(200) >= 19
    assert set(statuses) <= {200, 502}


async def test_a_killed_haproxy_starts_from_disk_with_the_workers_before_the_operator_is_heard(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.operator.away()
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
    for part in ("agent", "haproxy", "gate"):
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
    total = load.outcomes.total()
    await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.requests == total)


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
        await until(lambda: place.operator.demands[place.key("cold")] >= 2)
        assert {type(message) for message in place.operator.heard} == {Hello, Demand}
        place.operator.reports.clear()
        place.operator.silent = False
        place.operator.greet()
        await until(lambda: len(place.operator.reports) == 2)
        assert {report.version for report in place.operator.reports.values()} == {1}
        assert place.operator.state(place.key(), "w1") == "Serving"
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
        await until(lambda: place.operator.demands[place.key()])
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


async def test_an_agent_without_a_table_leaves_alone_what_runs(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    place.operator.away()
    place.node.kill("agent")
    (place.node.run / "state.json").write_text("broken")
    place.node.start("agent")
    await until(lambda: "counts as empty" in place.node.said())
    async with Load(place) as load:
        await load.more()
    assert set(load.outcomes) == {"200"}


async def test_a_reload_keeps_what_is_held_and_what_runs(fresh: Fresh) -> None:
    place = fresh(reload_patience="0.5")
    busy = place.worker("busy")
    await place.pool("busy", workers=(busy,))
    await place.pool()
    await place.site(pool="/", busy="/busy")
    await place.serving(busy, pool="busy")
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(20)]
        slow = asyncio.create_task(session.get("/busy?seconds=2"))
        await until(lambda: (found := place.operator.reports.get(place.key())) and found.queued == 20)
        before = place.node.pids()[0]
        await place.pool("new")  # held requests delay the reload for half a second here
        assert place.node.pids()[0] != before
        worker = place.worker()
        await place.pool(workers=(worker,))
        statuses = [(await request).status for request in held]
        print(f"20 held over a reload: {statuses.count(200)} x 200")
        assert statuses == [200] * 20
        assert (await slow).status == 200


async def test_a_reload_waits_for_the_gate_and_everything_else_does_not_wait_for_the_reload(fresh: Fresh) -> None:
    place = fresh()
    await place.pool()
    await place.site()
    before = place.node.pids()[0]
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()])
        place.operator.put(Pool(key=place.key("new")))
        worker = place.worker()
        version = place.operator.put(Pool(key=place.key(), workers=(worker.worker,)))
        assert (await held).status == 200
        assert place.node.pids()[0] == before
        await until(lambda: place.operator.applied >= version)
        assert place.node.pids()[0] != before


async def test_traffic_does_not_feel_reloads(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker()
    await place.up(worker)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for number in range(5):
            await place.pool(f"new{number}")
            await gets.more(50)
    assert set(gets.outcomes + posts.outcomes) == {"200"}
    total = (gets.outcomes + posts.outcomes).total()
    await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.requests == total)


async def test_a_worker_gets_no_more_than_its_limit_over_reloads(fresh: Fresh) -> None:
    place = fresh()
    worker = place.worker(limit=2)
    await place.up(worker)
    async with place.session() as session:
        slow = [asyncio.create_task(session.get("/?seconds=4")) for _ in range(2)]
        await place.runs(worker, 2)
        await place.pool("new1")
        others = [asyncio.create_task(session.get("/")) for _ in range(4)]
        await until(lambda: place.operator.reports[place.key()].queued == 4)
        await place.pool("new2")
        others.append(asyncio.create_task(session.post("/", data=b"x")))
        statuses = [(await request).status for request in (*slow, *others)]
        assert statuses == [200] * 7
        await asyncio.gather(*(session.get("/?seconds=0.2") for _ in range(4)))
    counted = await worker.counters()
    print(f"limit 2, two reloads while it was full: at most {counted['most']} at a time")
    assert counted == {"most": 2, "total": 11, "running": 0}
    assert place.operator.demands[place.key()] == 0


async def test_a_configuration_that_an_agent_did_not_live_to_load_is_loaded_by_the_next(fresh: Fresh) -> None:
    place = fresh()
    await place.pool(queue_timeout=100)
    await place.site()
    before = place.node.pids()[0]
    place.node.kill("agent")
    config, saved = place.node.run / "haproxy.cfg", place.node.run / "state.json"
    saved.write_text(saved.read_text().replace('"queue_timeout":100', '"queue_timeout":1'))
    text = config.read_text()
    generation = text.split()[2]
    config.write_text(text.replace(generation, "abc").replace("timeout queue 100s", "timeout queue 1s"))
    version = place.operator.put(Pool(key=place.key(), queue_timeout=1))
    place.node.start("agent")
    await until(lambda: place.operator.applied > version)
    assert place.node.pids()[0] != before
    async with place.session() as session:
        answers = await asyncio.gather(*(session.get("/") for _ in range(3)))
    assert {answer.headers["X-Webgarden-Reason"] for answer in answers} == {"QueueTimeout"}


async def test_a_refused_configuration_leaves_the_old_one_and_what_needs_no_reload_goes_on(fresh: Fresh) -> None:
    place = fresh(ready=False)
    strict = place.node.directory / "strict"
    program = place.node.directory / "haproxy"
    check = f'if [ "$1" = -c ] && [ -e {strict} ]; then echo "bad timeout"; exit 1; fi'
    program.write_text(f'#!/bin/sh\n{check}\nexec {haproxy()} "$@"\n')
    program.chmod(0o755)
    place.node.set("haproxy", str(program))
    place.node.start()
    place.node.wait_ready()
    worker, following = place.worker("w1"), place.worker("w2")
    await place.up(worker)
    before = place.node.pids()[0]
    strict.touch()
    version = place.operator.put(Pool(key=place.key("broken")))
    await until(lambda: place.operator.failed is not None)
    failed = place.operator.failed
    assert failed is not None
    assert failed.version == version
    assert "timeout" in failed.error
    assert place.node.pids()[0] == before
    with_draining(worker, True)
    place.operator.put(Pool(key=place.key(), workers=(worker.worker, following.worker)))
    await place.serving(following)
    await until(lambda: place.operator.state(place.key(), "w1") == "Drained")
    async with place.session() as session, session.get("/") as answer:
        assert (await answer.json())["worker"] == "w2"
    strict.unlink()
    await place.pool("broken")
    assert place.node.pids()[0] != before


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


async def test_an_older_process_that_does_not_answer_holds_nobody_up(fresh: Fresh) -> None:
    place = fresh()
    worker, following = place.worker("w1"), place.worker("w2")
    await place.up(worker)
    async with place.session() as session, session.ws_connect("/ws"):
        older = place.node.pids()[0]
        await place.pool("another")  # a reload; the WebSocket keeps the older process
        os.kill(older, signal.SIGSTOP)
        try:
            version = place.operator.put(Pool(key=place.key(), workers=(worker.worker, following.worker)))
            await until(lambda: place.operator.applied >= version, seconds=3)
            await until(lambda: place.operator.state(place.key(), "w2") == "Serving", seconds=3)
        finally:
            os.kill(older, signal.SIGCONT)


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
    await place.put(
        Pool(key="bad name/with\nnewline"),
        Site(key="x/y z", bindings=(Binding(port=80, host="a b"),), applications=(Application(path="/", pool="p"),)),
        Site(key=place.key("bad"), bindings=(Binding(port=80, host="a b"),), applications=()),
    )
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
        for path, status in (("/", 200), ("/evil", 200), ("/a;b/c", 503)):
            async with session.get(path) as answer:
                assert answer.status == status
    said = place.node.said()
    assert said.count("makes no sense to HAProxy: application") == 2
    assert repr(evil) in said


async def test_agent_and_gate_end_when_they_are_told(fresh: Fresh) -> None:
    place = fresh()
    child = place.node.gate_child()
    for part in ("agent", "gate"):
        process = place.node.processes[part]
        process.terminate()
        await until(lambda process=process: process.poll() is not None)  # type: ignore[misc]
        assert process.returncode == 0
    await until(lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes())


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
