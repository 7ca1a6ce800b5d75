"""What HAProxy says of itself: read by names, and never taken for nothing."""

from __future__ import annotations

import pytest

from webgarden_listener.haproxy import stats
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.stats import Server

HEADER = "# pxname,svname,qcur,scur,slim,stot,dreq,econ,eresp,status,last_chk,hrsp_5xx,addr,check_status,cookie,"
STAT = f"""\
{HEADER}
n:p,_bell,0,1,1,4,,0,0,no check,,3,unix,,,
n:p,w1,1,2,5,7,,1,2,UP,,0,10.0.0.1:80,* L4OK,w1,
n:p,w2,0,0,5,3,,0,0,MAINT,"a, ""quoted"", reason",0,10.0.0.2:80,,,
n:p,BACKEND,5,9,200,20,3,2,2,UP,,3,,,,
"""


def test_counters_are_read_by_name() -> None:
    pool = stats.backends(STAT)["n:p"]
    assert (pool.queued, pool.refused, pool.failed, pool.in_flight) == (6, 3, 2, 2)
    assert (pool.serving, pool.rings, pool.idle) == (True, True, False)
    assert pool.bell == Server("unix", 1, "no check", in_flight=1, requests=4, answered_5xx=3)
    assert pool.servers["w1"] == Server("10.0.0.1:80", 5, "UP", 2, 1, 7, 1, 2, 0, True, "w1")


def test_a_comma_in_a_text_moves_no_column() -> None:
    assert stats.backends(STAT)["n:p"].servers["w2"] == Server("10.0.0.2:80", 5, "MAINT", requests=3)


def test_a_backend_that_is_not_there_is_none() -> None:
    assert stats.backends("No such proxy.\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Permission denied",
        "# pxname,svname\nn:p,w1\n",
        f"{HEADER}\nn:p,w1,0\n",
        f"{HEADER}\nn:p,w1,x,,,,,,,,,,,,,\n",
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_nothing(text: str) -> None:
    with pytest.raises(HAProxyError):
        stats.backends(text)


def test_a_life_is_told_by_its_process_and_its_start() -> None:
    found = stats.life("Name: HAProxy\nPid: 12\nStart_time_sec: 99\nCurrConns: 3\nDroppedLogs: 1\n")
    assert (found.boot, found.dropped_logs) == ("12-99", 1)
    with pytest.raises(HAProxyError):
        stats.life("")


def test_the_states_of_a_server() -> None:
    def read(status: str) -> tuple[bool, bool, bool]:
        one = Server("", 1, status)
        return one.serving, one.stopped, one.down

    assert read("UP") == read("UP 1/2") == read("no check") == (True, False, False)
    assert read("MAINT") == read("MAINT (resolution)") == (False, True, False)
    assert read("DOWN") == read("DOWN 1/2") == (False, False, True)
    assert read("DRAIN") == (False, False, False)


def test_a_map_is_read_with_its_values() -> None:
    assert stats.entries("0x7f0 a:80 n/s\n0x7f1 b:80 n/t\n\n") == {"a:80": "n/s", "b:80": "n/t"}


def test_a_notice_names_its_backend_unless_we_did_it() -> None:
    assert stats.noticed("Server n:p/w1 is DOWN, reason: Layer4 timeout") == "n:p"
    assert stats.noticed("Server n:p/w1 is going DOWN for maintenance") is None
    assert stats.noticed("Proxy www started") is None
