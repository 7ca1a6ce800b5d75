"""Becoming HAProxy: the container's process is HAProxy's master itself, so its signals and its exit code are HAProxy's."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from webgarden_listener import leaving
from webgarden_listener.haproxy import files, logpipe
from webgarden_listener.settings import Settings


def become(settings: Settings) -> NoReturn:
    """Start from the files on disk, which are the latest state; from a first configuration when there is none."""
    leaving.forget(settings.directory)
    files.boot(settings)
    leaving.remember(settings.directory)
    sys.stdout.flush()
    logpipe.attach()
    directory = settings.directory
    program = settings.haproxy.program
    os.execvp(program, [program, "-W", "-S", f"{directory.master},mode,600", "-f", str(directory.config)])
