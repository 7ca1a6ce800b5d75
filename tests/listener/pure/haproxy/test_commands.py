"""What HAProxy is told, and which of its answers mean that it was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from webgarden_link import Worker
from webgarden_listener.haproxy import commands
from webgarden_listener.haproxy.commands import Command
from webgarden_listener.haproxy.errors import HAProxyError

WORKER = Worker(name="w1", address="10.0.0.1", port=80)


@pytest.mark.parametrize("text", ["show info\nquit", "show info;quit", "show info\r", "show\x00info"])
def test_what_is_more_than_one_command_is_none(text: str) -> None:
    with pytest.raises(HAProxyError, match="is not one command"):
        Command(text)


@pytest.mark.parametrize("word", ["", "a b", "a\n", "a\r", "\x00", "a\u2028b"])
def test_what_could_leave_its_line_is_not_written_into_a_map(word: str) -> None:
    for entry in ((word, "v"), ("k", word)):
        with pytest.raises(HAProxyError, match="cannot be in a map"):
            commands.entry_line(*entry)


def test_commands_go_together_as_far_as_they_fit_and_in_their_order() -> None:
    made = [Command(f"set {number}") for number in range(4)]
    assert list(commands.batches(made, size=12)) == ["set 0;set 1", "set 2;set 3"]
    mixed = [made[0], Command("add map m", payload="k v\n"), made[1]]
    assert list(commands.batches(mixed)) == ["set 0", "add map m <<\nk v\n", "set 1"]
    assert list(commands.batches([])) == []


def test_entries_are_sent_in_pieces_that_fit() -> None:
    entries = [(f"key{number}", "v" * 50) for number in range(1000)]
    payloads = [one.payload for one in commands.add_entries(Path("/m.map"), entries)]
    assert "".join(payloads) == "".join(f"{key} {value}\n" for key, value in entries)
    assert max(map(len, payloads)) <= commands.PAYLOAD


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n\n",
        "New backend registered.\nNew server registered.\n",
        "Server still has connections attached to it, cannot remove it.",
        "Wait delay expired.\n",
        "Server n:p/w1 is UP/READY (leaving forced maintenance).\n",
        "backend n:p has no server available!",
    ],
)
def test_what_was_done_or_will_be_is_no_complaint(answer: str) -> None:
    assert commands.complaints(answer) == []


@pytest.mark.parametrize("answer", ["No such server.", "Unknown command: 'x'", "Require 'backend/server'."])
def test_everything_else_is_a_complaint(answer: str) -> None:
    assert commands.complaints(f"Done.\n{answer}\n") == [answer]


def test_an_address_of_ipv6_gets_brackets() -> None:
    worker = WORKER.model_copy(update={"address": "fd00::1"})
    assert commands.server_options(worker, limit=5, interval=2.0).startswith("[fd00::1]:80 maxconn 5 ")


def test_no_connection_is_kept_to_a_worker_that_takes_one_request_at_a_time() -> None:
    assert "pool-max-conn 0" in commands.server_options(WORKER, limit=1, interval=2.0)
    assert "pool-max-conn" not in commands.server_options(WORKER, limit=2, interval=2.0)


def test_checks_become_rarer_with_the_number_of_workers() -> None:
    assert commands.check_interval(1) == commands.FASTEST
    assert commands.check_interval(commands.CHECKS_PER_SECOND * 10) == 10
    assert commands.check_interval(10**6) == commands.SLOWEST
