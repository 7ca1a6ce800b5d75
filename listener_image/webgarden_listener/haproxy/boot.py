"""Writes what HAProxy starts from: configuration, maps, answers. From the last table, or with none."""

from __future__ import annotations

import socket
from pathlib import Path

from webgarden_listener import state
from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.commands import entry_line
from webgarden_listener.haproxy.config import config, entries
from webgarden_listener.haproxy.rules import answering
from webgarden_listener.haproxy.rules.frame import Frame
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing


def boot(settings: Settings, *, empty: bool = False) -> None:
    """Raises `OSError`. `empty`: without the saved table, since HAProxy would not take it."""
    directory = settings.directory
    known = Routing()
    saved = None if empty else state.load(directory.state)
    if saved is not None:
        known.take(saved)
    for folder in (directory.root, directory.maps, directory.root / "errors"):
        folder.mkdir(parents=True, exist_ok=True)
    frame = Frame(settings, settings.haproxy.connections, ipv6())
    for name, text in answering.files().items():
        write(frame.errors / name, text)
    ready = saved is not None and not directory.leaving.exists()
    for name, found in maps.lines(entries(known)).items():
        write(maps.path(directory.maps, name), "".join(entry_line(key, value) for key, value in found))
    write(directory.config, config(frame, known, ready=ready))


def write(path: Path, text: str) -> None:
    """Made anew at each start, so it need not outlive a crash of the machine."""
    path.write_text(text, newline="")


def ipv6() -> bool:
    """Whether this machine can listen on it."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::", 0))
    except OSError:
        return False
    return True
