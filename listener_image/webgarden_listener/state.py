"""What an agent leaves to its successor on disk: the last table, so that a listener that starts while the operator is
away serves what it served before, and what was counted.

A file that is missing, broken or of another version means "nothing known" and is never an error.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from webgarden_link import Table
from webgarden_listener.counters import Counted
from webgarden_listener.table import Routing, routing, table

FORMAT = 1
log = logging.getLogger(__name__)


class Saved(BaseModel):
    format: int
    table: Table


def load(path: Path) -> Routing | None:
    """The routing that was saved last, or None when there is none that can be used."""
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
    return routing(saved.table)


def save(path: Path, known: Routing) -> None:
    replace(path, Saved(format=FORMAT, table=table(known)).model_dump_json())


def load_counted(path: Path) -> Counted | None:
    try:
        return Counted.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("What was counted begins anew, since %s cannot be used: %s", path, str(error)[:300])
        return None


def save_counted(path: Path, counted: Counted) -> None:
    replace(path, counted.model_dump_json())


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, and nothing between."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)
