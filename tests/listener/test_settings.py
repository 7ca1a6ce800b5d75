"""Settings: what is given is taken, and what makes no sense is refused by its name, with what would do."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

from webgarden_listener import __main__ as command
from webgarden_listener import supervising
from webgarden_listener.haproxy import descriptors
from webgarden_listener.settings import Port, Settings, SettingsError, add_arguments, settings


def given(**environment: str) -> Settings:
    parser = ArgumentParser()
    add_arguments(parser, {f"WEBGARDEN_{name}": text for name, text in environment.items()})
    return settings(parser.parse_args([]))


def test_without_anything_said_the_defaults_make_sense() -> None:
    made = given()
    assert made.directory.admin == Path("/run/webgarden/admin.sock")
    assert (made.haproxy.head_size, made.haproxy.head_lines, made.haproxy.connections) == (65536, 200, 10_000)
    assert (made.timing.silence, made.timing.linger, made.timing.grace) == (30, 5, 120)
    assert (made.haproxy.health_port, made.agent_health_port) == (8404, 8405)


def test_what_is_said_is_taken() -> None:
    made = given(
        PORTS="80:8080, 443", ACCESS_LOG="All", LINGER="0.5", HEAD_SIZE="16384", LINK_CA="/ca", AGENT_HEALTH_PORT="9"
    )
    assert made.haproxy.ports == (Port(80, 8080), Port(443, 443))
    assert made.haproxy.log_all
    assert made.timing.linger == 0.5
    assert made.haproxy.head_size == 16384
    assert (made.link.ca, made.link.token) == (Path("/ca"), None)
    assert made.agent_health_port == 9


WRONG = {
    "DIRECTORY": ["", "run", "/a b", "/" + 80 * "x", '/"'],
    "HAPROXY": ["", "a b"],
    "PORTS": ["", "x", "80:", ":80", "0", "65536", "80:1:2", "80,80", "80:8080,81:8080", "-1", "80,,81"],
    "HEALTH_PORT": ["", "x", "0", "65536", "8080"],
    "AGENT_HEALTH_PORT": ["", "1e3", "0", "65536", "8404", "8080"],
    "THREADS": ["", "two", "0", "-1", "65", "1.5"],
    "CONNECTIONS": ["", "0", "many", "1000001"],
    "ACCESS_LOG": ["", "all", "None"],
    "KEEP_ALIVE": ["", "0", "1.5", "3601"],
    "HEAD_SIZE": ["", "64k", "16383", "1048577"],
    "HEAD_LINES": ["", "x", "15", "32768"],
    "LINK_URL": ["", "x", "http://a/", "wss://", "wss://a:x/", "wss://a:0/", "wss://a:70000/", "ws://a b/"],
    "LISTENER": ["", "a b", "-a", "a\n"],
    "SILENCE": ["", "x", "-1", "nan", "inf", "86401"],
    "LINGER": ["", "x", "-1", "nan", "inf", "86401"],
    "GRACE": ["", "x", "-1", "nan", "inf", "86401"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_what_makes_no_sense_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^WEBGARDEN_(\w*_)?{name} is .*, and has to be \S"):
        given(**{name: text})


def test_an_error_is_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["leave", "--threads", "many"]) == 2
    said = capsys.readouterr().err
    assert said == "webgarden-listener: WEBGARDEN_THREADS is 'many', and has to be a number from 1 to 64\n"


# From the settings to the first processes.


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    asked: list[list[str]] = []

    def note(module: str, words: list[str]) -> int:
        asked.append([module, *words])
        return 0

    monkeypatch.setattr(supervising, "become", note)
    return asked


def test_haproxy_gets_files_for_the_connections_that_fit(
    become: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "provide", lambda wanted: wanted // 2)
    options = [f"--directory={tmp_path}", "--connections=1000"]
    (tmp_path / "leaving").touch()
    assert command.main(["haproxy", *options]) == 0
    [[module, program, config, _, *boot]] = become
    assert (module, program, config) == ("webgarden_listener.haproxy.process", "haproxy", f"{tmp_path}/haproxy.cfg")
    assert boot == ["-m", "webgarden_listener", "boot", *options, "--connections=500"]
    asked = command.parser().parse_args([*boot[2:], "--empty"])
    assert (settings(asked).haproxy.connections, asked.empty) == (500, True)
    assert not (tmp_path / "leaving").exists()


def test_the_agent_is_watched(become: list[list[str]]) -> None:
    assert command.main(["agent", "--silence=3"]) == 0
    [[module, port, silence, _, *agent]] = become
    assert (module, port, silence) == ("webgarden_listener.watching", "8405", "3.0")
    assert agent == ["-m", "webgarden_listener", "agent-process", "--silence=3"]


def test_what_is_for_our_own_use_is_not_in_the_help() -> None:
    listed = re.findall(r"^    ([\w-]+)", command.parser().format_help(), re.MULTILINE)
    assert listed == ["haproxy", "agent", "leave", "stay"]
