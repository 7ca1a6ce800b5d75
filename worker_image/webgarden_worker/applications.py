"""The applications a worker is told to host: `WEBGARDEN_APPLICATIONS`, read and checked.

The variable is the absolute path of a file, or for trying things out its content: a JSON list of objects `{"site":
"namespace/name", "path": "/", "kind": "ASGI", "target": "package.module:attribute", "root": "/srv/app"}`. For ASGI and
WSGI `target` names the application, or with `()` behind it a factory that is called without arguments. `root` is put on
the import path. For Static and CGI `root` is the directory of the files or programs. CGI may have `"cgi":
{"timeoutSeconds": 900, "handlers": {".php": "/usr/bin/php-cgi"}}`.

Nothing is accepted and then ignored: an unknown key, a `target` for static files or a kind that this worker cannot
run is an error. Null counts as absent.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from webgarden_worker.errors import SettingsError

VARIABLE = "WEBGARDEN_APPLICATIONS"
_TEXTS = {"site", "path", "kind", "target", "root"}
_SITE = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-.a-z0-9]*")
_PATH = re.compile(r"[A-Za-z0-9._~@+,=/-]+")  # What nobody writes percent-encoded, so that it can be compared as it is.
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?")


class Kind(Enum):
    ASGI = "ASGI"
    WSGI = "WSGI"
    CGI = "CGI"
    STATIC = "Static"


_WITHOUT_TARGET = (Kind.CGI, Kind.STATIC)


@dataclass(frozen=True, kw_only=True)
class Cgi:
    """How programs are run."""

    timeout_seconds: float = 900
    handlers: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Extension of a script, with its dot and in lower case -> the program that is started with it."""


@dataclass(frozen=True, kw_only=True)
class Application:
    site: str
    path: str
    kind: Kind
    target: str | None = None
    root: str | None = None
    cgi: Cgi = Cgi()

    def __str__(self) -> str:
        what = f"target {self.target}" if self.target else f"directory {self.root}"
        return f"site {self.site}, path {self.path}, {what}"


def read(value: str) -> tuple[Application, ...]:
    """What the variable says. Empty means no applications. Raises `SettingsError`."""
    if not value.startswith("/"):
        return parse(value)
    try:
        return parse(Path(value).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{VARIABLE} cannot be read: {error}") from None


def parse(text: str) -> tuple[Application, ...]:
    """The list itself. Raises `SettingsError`."""
    try:
        entries = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        raise SettingsError(f"{VARIABLE} is not JSON: {error}") from None
    if not isinstance(entries, list):
        raise SettingsError(f"{VARIABLE} must be a JSON list of applications")
    applications = tuple(_application(entry, where=f"{VARIABLE}[{index}]") for index, entry in enumerate(entries))
    _refuse_doubles(applications)
    return applications


def _application(entry: object, *, where: str) -> Application:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} must be an object")
    fields = {key: value for key, value in entry.items() if value is not None}
    if unknown := sorted(fields.keys() - _TEXTS - {"cgi"}):
        raise SettingsError(f"{where} has unknown keys: {', '.join(unknown)}")
    for key in _TEXTS & fields.keys():
        if not isinstance(fields[key], str) or not fields[key]:
            raise SettingsError(f"{where}.{key} must be a string that is not empty")
    return _checked(fields, where=where)


def _checked(fields: dict[str, Any], *, where: str) -> Application:
    if missing := sorted({"site", "path", "kind"} - fields.keys()):
        raise SettingsError(f"{where} lacks {', '.join(missing)}")
    if not _SITE.fullmatch(fields["site"]):
        raise SettingsError(f"{where}.site {fields['site']!r} is not of the form namespace/name")
    _check_path(fields["path"], where=where)
    kind = _kind(fields["kind"], where=where)
    if "cgi" in fields and kind is not Kind.CGI:
        raise SettingsError(f"{where}.cgi is for the kind CGI")
    application = Application(**{**fields, "kind": kind, "cgi": _cgi(fields.get("cgi", {}), where=f"{where}.cgi")})
    _check_target(application, where=where)
    return application


def _kind(name: str, *, where: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise SettingsError(f"{where}.kind {name!r} is not one that this worker can run ({known})") from None


def _check_path(path: str, *, where: str) -> None:
    segments = path.split("/")[1:]
    whole = path == "/" or all(segment not in ("", ".", "..") for segment in segments)
    if not path.startswith("/") or not whole:
        raise SettingsError(f"{where}.path {path!r} must begin with / and have no empty, '.' or '..' segment")
    if not _PATH.fullmatch(path):
        raise SettingsError(f"{where}.path {path!r} may have letters, digits and . _ ~ @ + , = - in its segments")


def _check_target(application: Application, *, where: str) -> None:
    if application.root is not None and not application.root.startswith("/"):
        raise SettingsError(f"{where}.root {application.root!r} must be an absolute path")
    if application.kind in _WITHOUT_TARGET:
        if application.target is not None:
            raise SettingsError(
                f"{where}.target has no meaning for {application.kind.value}: name the directory in root"
            )
        if application.root is None:
            raise SettingsError(f"{where}.root is missing: {application.kind.value} needs a directory")
    elif application.target is None or not _TARGET.fullmatch(application.target):
        expected = "package.module:attribute or package.module:factory()"
        raise SettingsError(f"{where}.target {application.target!r} is not of the form {expected}")


def _cgi(fields: object, *, where: str) -> Cgi:
    if not isinstance(fields, dict) or fields.keys() - {"timeoutSeconds", "handlers"}:
        raise SettingsError(f"{where} must be an object with timeoutSeconds and handlers")
    timeout, handlers = fields.get("timeoutSeconds", Cgi.timeout_seconds), fields.get("handlers", {})
    if not isinstance(timeout, int | float) or timeout <= 0:
        raise SettingsError(f"{where}.timeoutSeconds {timeout!r} is not a number above 0")
    if not isinstance(handlers, dict) or not all(isinstance(p, str) and p.startswith("/") for p in handlers.values()):
        raise SettingsError(f"{where}.handlers must name an absolute path for each extension")
    return Cgi(timeout_seconds=timeout, handlers=handlers)


def _refuse_doubles(applications: Iterable[Application]) -> None:
    seen: set[tuple[str, str]] = set()
    for application in applications:
        key = (application.site, application.path.lower())
        if key in seen:
            raise SettingsError(f"{VARIABLE} has two applications for site {application.site}, path {application.path}")
        seen.add(key)
