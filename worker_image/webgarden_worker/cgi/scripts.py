"""Which program a path names, and how it is started.

The first segments of the path that lead to a file are its script; what follows is the script's PATH_INFO. Nothing
outside the root is run, nor anything whose name begins with a dot. A directory is answered for by its `index` script.
A file that nobody could run is 403 and never shown: it may be a program's source or its data.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException

from webgarden_worker.cgi.errors import SlashMissing

INTERPRETERS = {".py": sys.executable, ".pl": "perl", ".php": "php-cgi"}
"""Of scripts that are not executable. Python is the worker's own, with the packages that its image has."""
_EXECUTABLE = ".cgi"


@dataclass(frozen=True)
class Script:
    file: Path
    command: tuple[str, ...]
    path: str
    """Of the script below the application, percent-encoded: `/tools/count.cgi`."""
    rest: str
    """Of the request's path, percent-encoded."""


def find(root: Path, path: str, handlers: Mapping[str, str]) -> Script:
    """`path`: percent-encoded, below the application. Raises `HTTPException` or `SlashMissing`."""
    if "%00" in path:
        raise HTTPException(404)  # No variable can have it.
    place, walked = root, ""
    for segment, rest in _segments(path):
        place, walked = place / _name(segment), f"{walked}/{segment}"
        if place.is_file():
            return _script(root, place, handlers, path=walked, rest=rest)
        if not place.is_dir():
            raise HTTPException(404)
    if not path.endswith("/"):
        raise SlashMissing
    return _index(root, place, handlers, path=walked)


def _segments(path: str) -> Iterator[tuple[str, str]]:
    """Each segment that is not empty, with what follows it."""
    rest = path.lstrip("/")
    while rest:
        segment, slash, after = rest.partition("/")
        yield segment, slash + after
        rest = after.lstrip("/")


def _name(segment: str) -> str:
    name = os.fsdecode(unquote_to_bytes(segment))
    if name.startswith(".") or "/" in name:
        raise HTTPException(404)
    return name


def _index(root: Path, directory: Path, handlers: Mapping[str, str], *, path: str) -> Script:
    for extension in (*handlers, _EXECUTABLE, *INTERPRETERS):
        file = directory / f"index{extension}"
        if file.is_file():
            return _script(root, file, handlers, path=f"{path}/{file.name}", rest="")
    raise HTTPException(404)


def _script(root: Path, file: Path, handlers: Mapping[str, str], *, path: str, rest: str) -> Script:
    if not file.resolve().is_relative_to(root.resolve()):
        raise HTTPException(404)
    return Script(file, _command(file, handlers), path, rest)


def _command(file: Path, handlers: Mapping[str, str]) -> tuple[str, ...]:
    extension = file.suffix.lower()
    if processor := handlers.get(extension):
        return processor, str(file)
    if os.access(file, os.X_OK):
        return (str(file),)
    if interpreter := shutil.which(INTERPRETERS.get(extension, "")):
        return interpreter, str(file)
    raise HTTPException(403)
