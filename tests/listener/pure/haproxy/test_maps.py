"""What is in the maps, and who has an entry that two want."""

from __future__ import annotations

from pathlib import Path

from webgarden_link import Affinity, Application, Binding, Pool, PoolState, Site, Table
from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.maps import HOSTS, LIMITS, PATHS, RETRY, STATES, WAITS, WILD, Claims, Loaded
from webgarden_listener.table import Routing

FOLDER = Path("/m")


def known(*sites: Site, pools: tuple[Pool, ...] = ()) -> Routing:
    made = Routing()
    made.take(Table(sites=sites, pools=pools))
    return made


def test_wild_hosts_come_longest_first_and_any_host_last() -> None:
    hosts = ("", "*.b.c", "*.a.b.c", "exact.b.c")
    site = Site(key="n/s", bindings=tuple(Binding(port=80, host=host) for host in hosts), applications=())
    found = maps.lines(maps.site_entries(known(site), site))
    assert found["hosts"] == [("exact.b.c:80", "n/s")]
    assert found["wild"] == [(".a.b.c:80", "n/s"), (".b.c:80", "n/s"), (":80", "n/s")]


def test_paths_are_lower_case_encoded_and_end_with_a_slash() -> None:
    paths = ("/", "/A/b", "/é")
    site = Site(key="n/s", bindings=(), applications=tuple(Application(path=path, pool="n/p") for path in paths))
    found = maps.lines(maps.site_entries(known(site), site))["paths"]
    assert found == [("n/s/", "n:p"), ("n/s/a/b/", "n:p"), ("n/s/%c3%a9/", "n:p")]


def test_the_path_of_a_pool_whose_clients_keep_to_their_workers_leads_to_its_other_backend() -> None:
    plain = Site(key="n/s", bindings=(), applications=(Application(path="/", pool="n/p"),))
    kept = Application(path="/x", pool="n/p", affinity=Affinity.COOKIE)
    routing = known(plain, Site(key="n/t", bindings=(), applications=(kept,)))
    assert maps.site_entries(routing, plain) == {(PATHS.name, "n/s/"): "n:p:cookie"}


def test_the_limit_that_lets_requests_in_comes_last_and_goes_last() -> None:
    started = maps.pool_entries("n:p", Pool(key="n/p", queue_timeout=9), queue_limit=7)
    assert list(started.items()) == [
        ((WAITS.name, "n:p"), "9000"),
        ((RETRY.name, "n:p"), None),
        ((STATES.name, "n:p"), "Started"),
        ((LIMITS.name, "n:p"), "7"),
    ]
    stopped = Pool(key="n/p", state=PoolState.STOPPED, reason="Disabled", retry_after=9)
    assert list(maps.pool_entries("n:p", stopped, queue_limit=7).values()) == ["120000", "9", "Disabled", None]


def test_of_a_pool_that_has_gone_nothing_is_left() -> None:
    gone = maps.no_entries("n:p")
    assert set(gone) == set(maps.pool_entries("n:p", Pool(key="n/p"), queue_limit=7))
    assert set(gone.values()) == {None}


def test_the_newer_of_two_sites_has_a_host_and_the_other_gets_it_back() -> None:
    claims, key = Claims(), (HOSTS.name, "a:80")
    assert claims.put("n/old", 1, {key: "n/old"}) == {key: "n/old"}
    assert claims.put("n/new", 2, {key: "n/new"}) == {key: "n/new"}
    assert claims.put("n/old", 1, {key: "n/old"}) == {key: "n/new"}
    assert claims.put("n/new", 3, {}) == {key: "n/old"}
    assert claims.put("n/old", 4, {}) == {key: None}


def test_a_site_comes_with_its_paths_first_and_goes_with_its_hosts_first() -> None:
    claims = Claims()
    entries = {(HOSTS.name, "a:80"): "n/s", (PATHS.name, "n/s/"): "n:p", (WILD.name, ".b:80"): "n/s"}
    assert next(iter(claims.put("n/s", 1, entries)))[0] == PATHS.name
    assert list(claims.put("n/s", 2, {}))[-1][0] == PATHS.name


def test_only_what_differs_is_told_and_the_order_of_what_depends_on_it_is_kept() -> None:
    loaded = Loaded(FOLDER, {"states": {"n:p": "Started", "n:q": "Started"}})
    wanted = {(STATES.name, "n:p"): "Started", (STATES.name, "n:q"): "Off", (LIMITS.name, "n:q"): None}
    changed = loaded.differing(wanted)
    assert changed == {(STATES.name, "n:q"): "Off"}
    assert [one.text for one in loaded.commands(changed)] == ["set map /m/states.map n:q Off"]
    loaded.note(changed)
    assert loaded.differing(wanted) == {}


def test_what_is_new_goes_together() -> None:
    loaded = Loaded(FOLDER, {})
    made = list(loaded.commands({(HOSTS.name, f"h{number}:80"): "n/s" for number in range(3)}))
    assert [(one.text, one.payload.count("\n")) for one in made] == [("add map /m/hosts.map", 3)]
