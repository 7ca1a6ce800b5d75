"""From a configured application to something that can be called.

Modules are imported before any event loop runs, as under gunicorn: a WSGI program may use its ORM or `asyncio.run`
while it is imported. What needs a running loop belongs into the ASGI lifespan. One target that is mounted at several
paths is loaded once. A target is checked for the number of arguments it takes, because a WSGI program hosted as ASGI
would otherwise fail at every request instead of once, here.

A program is imported, and its factory called, with its root as the working directory. Where there are several roots,
requests find the first one's, since a process has one working directory.
"""

import functools
import importlib
import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from webgarden_worker.applications import Application, Kind
from webgarden_worker.cgi.application import cgi_programs
from webgarden_worker.errors import LoadError
from webgarden_worker.roots import open_roots
from webgarden_worker.static import static_files
from webgarden_worker.threads import Threads
from webgarden_worker.wsgi import WSGIApplication

_ARGUMENTS = {Kind.ASGI: ("scope", "receive", "send"), Kind.WSGI: ("environ", "start_response")}


@dataclass(frozen=True)
class Loaded:
    application: Application
    asgi: ASGIApp


def load(applications: Sequence[Application], *, threads: Threads) -> tuple[Loaded, ...]:
    """Load all of them or raise `LoadError` for the first that fails."""
    for application in applications:
        if application.root is not None and not Path(application.root).is_dir():
            raise LoadError(f"{application}: there is no directory {application.root}")
    roots = list(dict.fromkeys(a.root for a in applications if a.kind in _ARGUMENTS and a.root is not None))
    open_roots(roots)
    seen: dict[Application, ASGIApp] = {}
    loaded = []
    for application in applications:
        key = replace(application, site="", path="")
        if key not in seen:
            seen[key] = _load(application, threads=threads)
        loaded.append(Loaded(application, seen[key]))
    if len(roots) > 1:
        os.chdir(roots[0])
    return tuple(loaded)


def _load(application: Application, *, threads: Threads) -> ASGIApp:
    if application.kind is Kind.STATIC:
        return static_files(Path(application.root or ""))
    if application.kind is Kind.CGI:
        return cgi_programs(Path(application.root or ""), application.cgi)
    if application.root is not None:
        _work_in(application, application.root)
    target = _made(application)
    _check_arguments(application, target)
    return WSGIApplication(target, threads=threads) if application.kind is Kind.WSGI else target


def _work_in(application: Application, root: str) -> None:
    try:
        os.chdir(root)
    except OSError as error:
        raise LoadError(f"{application}: {error}") from None


def _made(application: Application) -> Any:  # noqa: ANN401 (it is somebody else's object)
    target = application.target or ""
    found = _import(application, target.removesuffix("()"))
    if not target.endswith("()"):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise LoadError(f"{application}: cannot be made: {type(error).__name__}: {error}") from error


def _import(application: Application, target: str) -> Any:  # noqa: ANN401
    module_name, _, attributes = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # Anything may be raised by a program while it is imported.
        raise LoadError(f"{application}: cannot be imported: {type(error).__name__}: {error}") from error
    try:
        return functools.reduce(getattr, attributes.split("."), module)
    except AttributeError as error:
        raise LoadError(f"{application}: {error}") from None


def _check_arguments(application: Application, target: Any) -> None:  # noqa: ANN401
    names = _ARGUMENTS[application.kind]
    expected = f"{application}: is not a {application.kind.value} application, that is a callable of {', '.join(names)}"
    if not callable(target):
        raise LoadError(f"{expected}, but {type(target).__name__}")
    try:
        signature = inspect.signature(target)
    except ValueError:
        return  # Built in C; only a call will tell.
    try:
        signature.bind(*names)
    except TypeError:
        raise LoadError(f"{expected}; it takes {signature}") from None
