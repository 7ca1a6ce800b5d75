"""A file system of a few kilobytes, to be filled to the last byte. Mounting takes root."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

OPTIONS = "size=256k,nr_inodes=64"


@contextlib.contextmanager
def mounted(path: Path) -> Iterator[Path]:
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", OPTIONS, "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path) -> None:
    """Leave neither a block nor an inode."""
    with contextlib.suppress(OSError), (path / "filling").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with contextlib.suppress(OSError):
        for number in range(1000):
            (path / f"filling-{number}").touch()


def empty(path: Path) -> None:
    for file in path.glob("filling*"):
        file.unlink()
