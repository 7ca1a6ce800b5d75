"""What is written for HAProxy and what it says, without HAProxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from webgarden_link import Application, Binding, Change, Pool, PoolState, Site, Table, Worker
from webgarden_listener.haproxy.config import Frame, config
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.maps import maps, text
from webgarden_listener.haproxy.master import PAYLOAD, Master, Process, chunks
from webgarden_listener.haproxy.names import backend, pool_of
from webgarden_listener.haproxy.sections import lacking, sections
from webgarden_listener.haproxy.stats import Backend, Server, backends, processes
from webgarden_listener.settings import Directory, Settings
from webgarden_listener.table import Routing, changed, limits, refused, routing, targets

SETTINGS = Settings(Directory(Path("/run/webgarden")))
WORKER = Worker(name="w1", address="10.0.0.1", port=80, limit=5)


def known(*pools: Pool, sites: tuple[Site, ...] = ()) -> Routing:
    return routing(Table(version=1, pools=pools, sites=sites))


def rendered(*pools: Pool, generation: str = "1") -> str:
    table = known(*pools)
    return config(Frame(SETTINGS, generation), table, limits(table, targets(table)))


def test_names_go_there_and_back() -> None:
    assert backend("ns/pool.a-b") == "ns:pool.a-b"
    assert pool_of("ns:pool.a-b") == "ns/pool.a-b"
    assert pool_of("www") is None


def test_wild_hosts_come_longest_first_and_any_host_last() -> None:
    hosts = ("", "*.b.c", "*.a.b.c", "exact.b.c")
    site = Site(key="n/s", bindings=tuple(Binding(port=80, host=host) for host in hosts), applications=())
    found = maps(known(sites=(site,)), ready=True)
    assert found["hosts"] == (("exact.b.c:80", "n/s"),)
    assert found["wild"] == ((".a.b.c:80", "n/s"), (".b.c:80", "n/s"), (":80", "n/s"))


def test_paths_are_lower_case_encoded_and_end_with_a_slash() -> None:
    paths = ("/", "/A/b", "/é#1")
    site = Site(key="n/s", bindings=(), applications=tuple(Application(path=path, pool="n/p") for path in paths))
    keys = [key for key, _ in maps(known(sites=(site,)), ready=True)["paths"]]
    assert keys == ["n/s/", "n/s/a/b/", "n/s/%c3%a9%231/"]


@pytest.mark.parametrize(
    "application",
    [
        Application(path="/", pool="x\n\n@1 disable frontend www"),
        Application(path="/", pool="no key"),
        Application(path="/", pool="n/p\n"),
        Application(path="/a b", pool="n/p"),
        Application(path="/a\nn/other/ n:p", pool="n/p"),
        Application(path="other", pool="n/p"),
        Application(path="/\u2028", pool="n/p"),
    ],
)
def test_an_application_that_is_none_is_left_out_and_named(application: Application) -> None:
    good = Application(path="/good", pool="n/p")
    site = Site(key="n/s", bindings=(), applications=(application, good))
    assert refused((), (site,)) == [f"application {application.path!r} of 'n/s' with the pool {application.pool!r}"]
    for table in (known(sites=(site,)), changed(Routing(), Change(version=1, sites=(site,)))):
        assert maps(table, ready=True)["paths"] == (("n/s/good/", "n:p"),)


@pytest.mark.parametrize("word", ["", "a b", "a\n", "a\r", "\x00", "a\u2028b"])
def test_what_could_leave_its_line_is_not_written_into_a_map(word: str) -> None:
    for entry in ((word, "v"), ("k", word)):
        with pytest.raises(HAProxyError):
            text((entry,))


@pytest.mark.parametrize("command", ["show info\nquit", "show info;quit", "show info\r"])
async def test_what_is_more_than_one_command_is_not_sent(command: str) -> None:
    process = Process(Master(Path("/nowhere")), 1)
    for asked in (process.ask(command), process.order(command)):
        with pytest.raises(HAProxyError, match="is not one command"):
            await asked
    with pytest.raises(HAProxyError, match="cannot be in a map"):
        await process.ask("add map x", (("k", "v\n\nquit"),))


def test_a_stopped_pool_is_in_the_maps_with_its_reason() -> None:
    stopped = Pool(key="n/s", state=PoolState.STOPPED, reason="Disabled", retry_after=9, queue_limit=7)
    found = maps(known(stopped, Pool(key="n/t")), ready=False)
    assert found["states"] == (("n:s", "Disabled"), ("n:t", "Started"))
    assert found["retry"] == (("n:s", "9"),)
    assert found["queues"] == (("n:t", "1000"),)
    assert found["node"] == (("ready", "no"), ("last", "no"))


def test_a_reason_that_is_no_word_does_not_get_into_a_map() -> None:
    evil = Pool(key="n/s", state=PoolState.STOPPED, reason="x\nn:other Started")
    assert maps(known(evil), ready=True)["states"] == (("n:s", "Stopped"),)


def test_workers_that_answer_and_stay_are_in_the_file() -> None:
    leaving = WORKER.model_copy(update={"name": "w2", "draining": True})
    said = rendered(Pool(key="n/p", workers=(WORKER, leaving)))
    assert "  server w1 10.0.0.1:80 maxconn 5 check" in said
    assert "server w2" not in said
    assert "server w1" not in rendered(Pool(key="n/p", workers=(WORKER,), state=PoolState.STOPPED))


def test_an_address_of_ipv6_gets_brackets() -> None:
    worker = WORKER.model_copy(update={"address": "fd00::1"})
    assert "  server w1 [fd00::1]:80 " in rendered(Pool(key="n/p", workers=(worker,)))


@pytest.mark.parametrize(
    "harmless",
    [
        Pool(key="n/p", workers=(WORKER,)),
        Pool(key="n/p", queue_limit=3),
        Pool(key="n/p", state=PoolState.STOPPED, reason="Disabled"),
    ],
)
def test_what_the_runtime_can_do_needs_no_reload(harmless: Pool) -> None:
    before = sections(rendered(Pool(key="n/p"), Pool(key="n/gone")))
    assert lacking(before, sections(rendered(harmless, generation="2"))) == set()


def test_a_new_pool_and_another_timeout_need_a_reload() -> None:
    before = sections(rendered(Pool(key="n/p")))
    after = sections(rendered(Pool(key="n/p", queue_timeout=5), Pool(key="n/new")))
    assert lacking(before, after) == {"n:p", "n:new"}


def test_a_map_is_sent_in_pieces_that_fit() -> None:
    entries = tuple((f"key{number}", "v" * 50) for number in range(1000))
    pieces = list(chunks(entries))
    assert tuple(entry for piece in pieces for entry in piece) == entries
    assert max(len(text(piece)) for piece in pieces) <= PAYLOAD
    assert list(chunks(())) == []


STAT = """\
# pxname,svname,qcur,scur,slim,stot,dreq,econ,status,addr,
www,FRONTEND,,1,2000,9,0,,OPEN,,
n:p,_gate,0,1,1,4,,0,no check,unix,
n:p,w1,0,2,5,7,,1,UP,10.0.0.1:80,
n:p,w2,0,0,5,3,,0,DRAIN,10.0.0.2:80,
n:p,BACKEND,6,9,200,20,3,2,UP,,
"""


def test_counters_are_read_by_name() -> None:
    found = backends(STAT)
    assert set(found) == {"n/p"}
    pool = found["n/p"]
    assert (pool.queued, pool.refused, pool.failed, pool.serving) == (6, 3, 2, True)
    assert pool.gate == Server("unix", 1, "no check", 1, 0, 4, 0)
    assert pool.servers["w1"] == Server("10.0.0.1:80", 5, "UP", 2, 0, 7, 1)
    assert pool.servers["w2"].draining
    assert not pool.servers["w2"].serving


def test_no_counters_are_no_pools() -> None:
    assert backends("No such proxy.\n") == {}
    assert backends("") == {}
    assert not Backend().serving


def test_the_process_that_accepts_is_told_from_the_old_ones() -> None:
    said = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
10              master          2 [failed: 0]   0d00h00m02s     3.2.26-1
# workers
13              worker          0               0d00h00m02s     3.2.26-1
# old workers
11              worker          2               0d00h00m02s     3.2.26-1
12              worker          1               0d00h00m02s     3.2.26-1
"""
    found = processes(said)
    assert (found.current, found.old) == (13, (11, 12))
    assert processes("").current is None
