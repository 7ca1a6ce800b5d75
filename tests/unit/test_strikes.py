"""Which process of a listener's container a storm kills: what is kept running, and not what keeps it."""

from __future__ import annotations

import sys

import pytest
from tests.e2e.strikes import is_agent, is_haproxy

from webgarden_listener.__main__ import own

AGENT = own("agent-process", ["--link-url=ws://operator"])
WATCHED = [sys.executable, "-m", "webgarden_listener.watching", "8405", "30.0", *AGENT]
HAPROXY = ["haproxy", "-db", "-f", "/run/webgarden/haproxy.cfg"]
KEPT = [sys.executable, "-m", "webgarden_listener.haproxy.process", "haproxy", HAPROXY[-1], *own("boot", [])]


def test_the_agent_is_told_from_its_supervisor_whose_command_line_has_it_in_it() -> None:
    assert is_agent(AGENT)
    assert not is_agent(WATCHED)


@pytest.mark.parametrize("program", ["haproxy", "/usr/local/sbin/haproxy"])
def test_haproxy_is_told_from_its_supervisor_and_from_what_makes_its_files(program: str) -> None:
    assert is_haproxy([program, *HAPROXY[1:]])
    assert not is_haproxy(KEPT) and not is_haproxy(own("boot", []))


def test_a_process_that_has_ended_is_neither() -> None:
    assert not is_agent([""]) and not is_haproxy([""])
