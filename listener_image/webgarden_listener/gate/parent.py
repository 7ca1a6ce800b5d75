"""The gate's parent: owns the two listening sockets, and keeps a child that works on them.

While no child runs, connections wait in the sockets' backlog, so HAProxy notices nothing. It must stay so small
that it has no reason to die.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from webgarden_listener.settings import Directory

BACKLOG = 4096
PAUSE = 0.05
LONGEST_PAUSE = 1.0
STEADY = 10.0
"""A child that lived this long, in seconds, is replaced without a pause again."""
log = logging.getLogger(__name__)


def run(directory: Directory) -> NoReturn:
    directory.root.mkdir(parents=True, exist_ok=True)
    sockets = (listen(directory.gate), listen(directory.gate_control))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, leave)
    pause = PAUSE
    while True:
        began = time.monotonic()
        with start(directory, sockets) as child:
            try:
                child.wait()
            except Ended:
                child.terminate()
                raise SystemExit(0) from None
        pause = PAUSE if time.monotonic() - began > STEADY else min(pause * 2, LONGEST_PAUSE)
        log.error("The gate's child ended with %s; the next one starts in %.2f s.", child.returncode, pause)
        time.sleep(pause)


class Ended(Exception):
    """Somebody wants this process to end."""


def leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Ended


def listen(path: Path) -> socket.socket:
    """A new listening socket in place of what a former life left there."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    os.chmod(path, 0o600)
    made.listen(BACKLOG)
    return made


def start(directory: Directory, sockets: tuple[socket.socket, socket.socket]) -> subprocess.Popen[bytes]:
    numbers = [one.fileno() for one in sockets]
    command = [sys.executable, "-m", "webgarden_listener", "gate-child", "--directory", str(directory.root)]
    command += ["--sockets", *map(str, numbers)]
    return subprocess.Popen(command, pass_fds=numbers, stdin=subprocess.PIPE)
