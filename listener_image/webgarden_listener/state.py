"""The files that outlive a process: the last table, so that a listener that starts while the operator is away serves what
it served before; and how any file is written here.

A table that is missing, broken or of another format means "nothing known" and is never an error. What cannot be written is
a `StateError`, which is for the log: the process goes on with what it has in memory. A file is the old one or the new one
whatever happens meanwhile, the end of the node included; what has not changed is not written.

Writing waits for the disk: it is not for an event loop.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from webgarden_link import Table

FORMAT = 2
log = logging.getLogger(__name__)


class StateError(Exception):
    """A file that cannot be written, in words for a log."""


class Saved(BaseModel):
    format: int
    table: Table


def load(path: Path) -> Table | None:
    """The table that was saved last, or None when there is none that can be used."""
    try:
        saved = Saved.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("The saved table in %s cannot be used, so it counts as empty: %s", path, str(error)[:300])
        return None
    if saved.format != FORMAT:
        log.warning("The saved table in %s has the foreign format %d, so it counts as empty.", path, saved.format)
        return None
    return saved.table


def save(path: Path, table: Table) -> None:
    """Raises `StateError`."""
    replace(path, Saved(format=FORMAT, table=table).model_dump_json())


def replace(path: Path, text: str) -> None:
    """Make a file hold this text. Raises `StateError`."""
    content = text.encode()
    try:
        if not holds(path, content):
            write(path, content)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error}") from error


def holds(path: Path, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes() == content
    return False


def write(path: Path, content: bytes) -> None:
    """The name changes hands when the content is on the disk, and that is on the disk, too, before this returns."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()  # half a file takes the room that others need
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
