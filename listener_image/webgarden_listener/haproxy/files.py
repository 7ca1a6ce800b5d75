"""The files that HAProxy reads: its configuration and its maps, written so that a start at any moment finds a whole set.

They are the desired state. A configuration that HAProxy refuses never takes the place of one that it accepted.
"""

from __future__ import annotations

import re
import subprocess
import time

from webgarden_listener import state
from webgarden_listener.haproxy.config import TERMINATIONS, Frame, config
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.maps import Maps, maps, text
from webgarden_listener.haproxy.master import words
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing, limits, targets


def new_generation() -> str:
    return f"{time.time_ns():x}"


def generation(settings: Settings) -> str:
    """That of the configuration on disk, which a process need not have loaded yet; empty when there is none."""
    try:
        first = settings.directory.config.read_text().partition("\n")[0]
    except FileNotFoundError:
        return ""
    found = re.fullmatch(r"# generation (\w+)", first)
    return found[1] if found else ""


def life(settings: Settings) -> str:
    """When HAProxy's master was started: its pid may be the one that it had before."""
    try:
        return str(settings.directory.haproxy.stat().st_mtime_ns)
    except FileNotFoundError:
        return ""


def write_maps(settings: Settings, wanted: Maps) -> None:
    settings.directory.maps.mkdir(parents=True, exist_ok=True)
    for name, entries in {**wanted, "terminations": TERMINATIONS}.items():
        path = settings.directory.maps / f"{name}.map"
        new = text(tuple(entries))
        if not path.exists() or path.read_text() != new:
            state.replace(path, new)


def write_config(settings: Settings, wanted: str) -> None:
    """For a configuration whose structure HAProxy accepted before."""
    if not settings.directory.config.exists() or settings.directory.config.read_text() != wanted:
        state.replace(settings.directory.config, wanted)


def check(settings: Settings, wanted: str) -> None:
    """Whether HAProxy can read a configuration. Raises `HAProxyError` if not. Blocks: call it in a thread."""
    candidate = settings.directory.candidate
    candidate.write_text(wanted)
    try:
        command = [settings.haproxy.program, "-c", "-f", str(candidate)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HAProxyError(str(error)) from error
    if checked.returncode:
        raise HAProxyError(words((checked.stderr + checked.stdout).splitlines()))


def boot(settings: Settings) -> None:
    """The configuration for the first start of all: what was saved, or nothing. One that is there already stays."""
    directory = settings.directory
    directory.root.mkdir(parents=True, exist_ok=True)
    if directory.config.exists():
        return
    saved = state.load(directory.state)
    known = saved or Routing()
    write_maps(settings, maps(known, ready=saved is not None and not directory.leaving.exists()))
    write_config(settings, config(Frame(settings, new_generation()), known, limits(known, targets(known))))
