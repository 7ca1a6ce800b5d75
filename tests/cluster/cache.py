"""The folder of what is costly to make: built programs, and the locks around making them.

It outlives the cluster; only `down --purge` removes it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

DIRECTORY = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "webgarden/cluster"


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """One at a time among all processes of this user; the lock goes with the process."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
