"""The stages: one explicit order, and none that ends the list without an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webgarden_listener.haproxy import rules
from webgarden_listener.haproxy.rules.answering import NO_REQUEST, TERMINATIONS, files, workers_pass
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.settings import Directory, HAProxySettings, Port, Settings

FOLDER = Directory(Path("/run/webgarden"))
FRAME = Frame(Settings(FOLDER), connections=1000, ipv6=True)


STAGES = rules.FRONTEND, rules.POOL, rules.REFUSAL


def named(stages: tuple[rules.Stage, ...]) -> list[str]:
    return [stage.__module__.rpartition(".")[2] for stage in stages]


def test_the_stages_run_in_the_order_that_is_written_down() -> None:
    documented = re.findall(r"^\| `(\w+)`", rules.__doc__ or "", re.MULTILINE)
    assert list(dict.fromkeys(named(rules.FRONTEND))) == documented
    for stages in (rules.POOL, rules.FRONTEND):
        assert named(stages) == sorted(named(stages), key=documented.index)


def test_no_rule_makes_those_below_it_dead_but_the_one_for_workers_answers() -> None:
    allowing = [line for stages in STAGES for line in rules.lines(stages, FRAME) if re.match(r"\S+ allow\b", line)]
    assert allowing == list(workers_pass(FRAME))
    assert all(" if " in line for line in allowing)


def test_no_rule_for_what_is_served_answers_everybody() -> None:
    for stages in (rules.FRONTEND, rules.POOL):
        for line in rules.lines(stages, FRAME):
            if re.match(r"http-request (deny|return|redirect|reject)\b", line):
                assert re.search(r" (if|unless) ", line), line


def test_who_has_no_pool_is_answered_whatever_he_wants() -> None:
    *_, last = rules.lines(rules.REFUSAL, FRAME)
    assert re.match(r"http-request (deny|return)\b(?!.* (if|unless) )", last), last


def test_a_path_has_one_spelling_before_it_is_routed_and_its_pool_is_known_before_its_limit() -> None:
    lines = list(rules.lines(rules.FRONTEND, FRAME))

    def first(part: str) -> int:
        return next(number for number, line in enumerate(lines) if part in line)

    assert (
        first("normalize-uri") < first("set-var(txn.site)") < first("set-var(txn.pool)") < first("set-var(txn.limit)")
    )


@pytest.mark.parametrize("ipv6", [True, False])
def test_a_port_is_a_socket_for_each_family_with_an_id_of_its_own(ipv6: bool) -> None:
    settings = Settings(FOLDER, haproxy=HAProxySettings(ports=(Port(80, 8080), Port(443, 8443))))
    binds = [line for line in rules.lines(rules.FRONTEND, Frame(settings, 1000, ipv6)) if line.startswith("bind ")]
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
