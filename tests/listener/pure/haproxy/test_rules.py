"""The stages: one explicit order, and none that ends the list without an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webgarden_listener.haproxy import rules
from webgarden_listener.haproxy.rules.answering import NO_REQUEST, TERMINATIONS, files
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.settings import Directory, HAProxySettings, Port, Settings

FOLDER = Directory(Path("/run/webgarden"))
FRAME = Frame(Settings(FOLDER), connections=1000, ipv6=True)


def stages(said: str) -> list[str]:
    """The names in the table of the package's docstring, in its order."""
    return re.findall(r"^\| `(\w+)`", said, re.MULTILINE)


def test_the_stages_run_in_the_order_that_is_written_down() -> None:
    documented = stages(rules.__doc__ or "")
    assert [stage.__module__.rpartition(".")[2] for stage in rules.FRONTEND] == documented
    of_pools = [stage.__module__.rpartition(".")[2] for stage in rules.POOL]
    assert of_pools == [name for name in documented if name in of_pools]


def test_no_rule_makes_those_below_it_dead() -> None:
    for line in (*rules.frontend(FRAME), *rules.pool(FRAME)):
        assert not re.match(r"http-\S+ allow\b", line), line


def test_no_rule_answers_everybody() -> None:
    for line in (*rules.frontend(FRAME), *rules.pool(FRAME)):
        if re.match(r"http-request (deny|return|redirect|reject)\b", line):
            assert re.search(r" (if|unless) ", line), line


def test_what_a_request_is_found_to_be_is_known_before_it_is_routed_and_limited() -> None:
    lines = list(rules.frontend(FRAME))

    def first(part: str) -> int:
        return next(number for number, line in enumerate(lines) if part in line)

    assert first("METH_OPTIONS") < first("normalize-uri") < first("set-var(txn.site)") < first("set-var(txn.limit)")


@pytest.mark.parametrize("ipv6", [True, False])
def test_a_port_is_a_socket_for_each_family_with_an_id_of_its_own(ipv6: bool) -> None:
    settings = Settings(FOLDER, haproxy=HAProxySettings(ports=(Port(80, 8080), Port(443, 8443))))
    binds = [line for line in rules.frontend(Frame(settings, 1000, ipv6)) if line.startswith("bind ")]
    ids = [int(line.split(" id ")[1].split()[0]) for line in binds]
    assert len(binds) == (4 if ipv6 else 2)
    assert sorted({number % 65536 for number in ids}) == [80, 443]
    assert len(set(ids)) == len(ids)


def test_every_answer_to_what_is_no_request_is_whole_and_says_its_reason() -> None:
    assert set(files()) == {f"{status}.http" for status in NO_REQUEST}
    for text in files().values():
        head, _, body = text.partition("\r\n\r\n")
        assert f"Content-Length: {len(body)}\r\n" in head
        assert "X-Webgarden-Reason: " in head


def test_every_reason_is_a_word() -> None:
    reasons = {*TERMINATIONS.values(), *(reason for _, reason in NO_REQUEST.values())}
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", reason) for reason in reasons)
