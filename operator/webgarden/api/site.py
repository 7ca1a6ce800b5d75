"""`Site`: names and ports on the listener, and which pool serves which path.

A path is an application's identity as in IIS: compared without regard to case, the longest match wins. Its characters
are those that every part on the way writes literally; percent-encoding, spaces and separators are refused, since each
is read differently by some part between a URL and a map file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema

from webgarden.api.conditions import Condition
from webgarden.api.duration import Limit, parse
from webgarden.api.markers import Json, list_map, list_set, rules
from webgarden.api.resource import Count, Message, Part, Resource

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST: Json = {"type": "string", "maxLength": 253} | rules(
    (
        rf"self == '' || self.matches(r'^([*][.])?{_LABEL}([.]{_LABEL})*$')",
        "must be a DNS name in lower case, *. before one, or empty for any host",
    )
)
_PATH: Json = {"type": "string", "minLength": 1, "maxLength": 256} | rules(
    ("self.startsWith('/')", "must begin with /"),
    ("self == '/' || !self.endsWith('/')", "must not end with /, unless it is /"),
    ("!self.matches(r'(^|/)[.]{1,2}(/|$)')", "must not have . or .. as a segment"),
    (
        "self.matches(r'^[A-Za-z0-9._~@+,=/-]*$') && !self.contains('//')",
        "may have letters, digits and . _ ~ @ + , = - in its segments, none of which is empty",
    ),
)
_NAMES = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
_TARGET = rf"^{_NAMES}:{_NAMES}(\(\))?$"
_UNIQUE_PATHS = rules(
    (
        "self.all(a, self.exists_one(b, a.path.lowerAscii() == b.path.lowerAscii()))",
        "two applications have the same path; case does not count",
    )
)


class Protocol(StrEnum):
    """Protocol of a binding."""

    HTTP = "http"


class Binding(Part):
    """Where the site is reached."""

    protocol: Protocol = Protocol.HTTP
    """http."""
    host: Annotated[str, WithJsonSchema(_HOST)] = ""
    """Host name of the request: `shop.example.com`, `*.example.com`, or empty for any."""
    port: int = Field(default=80, ge=1, le=65535)
    """Port of the listener."""


class AppKind(StrEnum):
    """How the worker image runs an application."""

    WSGI = "WSGI"
    ASGI = "ASGI"
    CGI = "CGI"
    STATIC = "Static"


class CgiHandler(Part):
    """What runs the scripts with an extension."""

    path: str = Field(pattern=r"^[*][.][a-z0-9_-]+$", max_length=32)
    """`*.php`: the scripts, by the end of their names. Case does not count."""
    script_processor: str = Field(pattern="^/", max_length=1024)
    """The program that is started with the script as its argument, `/usr/bin/php-cgi`."""


class Cgi(Part):
    """How programs are run, a process a request (RFC 3875)."""

    timeout: Limit = parse("15m")
    """A program that has not ended after this long is ended, with what it has started."""
    handlers: Annotated[tuple[CgiHandler, ...], list_map("path", most=16)] = ()
    """What runs scripts, by their extension. What has no handler and is executable runs by itself; `*.py`, `*.pl` and
    `*.php` that are not executable are run by python3, perl and php-cgi."""


class App(Part):
    """What the worker image runs for an application."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.kind in ['CGI', 'Static'] || has(self.target)", "WSGI and ASGI need a target"),
            ("!(self.kind in ['CGI', 'Static']) || has(self.root)", "CGI and Static need a root"),
            (
                "!(self.kind in ['CGI', 'Static']) || !has(self.target)",
                "CGI and Static have no target: the path names it",
            ),
            ("self.kind == 'CGI' || !has(self.cgi)", "cgi is for the kind CGI"),
        )
    )

    kind: AppKind
    """WSGI, ASGI, CGI or Static."""
    target: str | None = Field(default=None, pattern=_TARGET, max_length=256)
    """The application object, `module:name`, or what makes it, `module:name()`."""
    root: str | None = Field(default=None, pattern="^/", max_length=1024)
    """Directory in the worker's file system: of the files or programs, or where the module is imported from."""
    cgi: Cgi | None = None
    """How programs are run."""


class Affinity(StrEnum):
    """Which worker of a web garden a client gets."""

    NONE = "None"
    COOKIE = "Cookie"


class Application(Part):
    """A path of the site, and who serves it."""

    path: Annotated[str, WithJsonSchema(_PATH)]
    """`/`, or `/a/b`. The longest path that a request begins with wins."""
    pool: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9.-]*[a-z0-9]$")
    """Name of an ApplicationPool in the namespace of the site."""
    affinity: Affinity = Affinity.NONE
    """None: each request goes to any worker of the pool, so state in a worker's memory is not found again. Cookie: the
    listener gives the client a cookie that keeps it on its worker for as long as that worker takes requests; one that
    drains takes none."""
    app: App | None = None
    """What to run, for pools that use the worker image. Other images know it themselves."""


class SiteSpec(Part):
    """What the site should be."""

    bindings: Annotated[tuple[Binding, ...], list_map("host", "port", most=64, least=1)]
    """Where the site is reached."""
    applications: Annotated[tuple[Application, ...], list_map("path", most=64, least=1, **_UNIQUE_PATHS)]
    """Which pool serves which path."""


class BindingStatus(Part):
    """What became of a binding."""

    host: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 253})]
    """As in the spec."""
    port: int = Field(ge=1, le=65535)
    """As in the spec."""
    accepted: bool
    """False: another site was first, or the listener has no such port."""
    message: Message = ""
    """Why it was not accepted."""


class SiteStatus(Part):
    """What the site is."""

    observed_generation: Count | None = None
    """The generation this status is about."""
    urls: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], list_set(most=64)] = ()
    """Where the site answers."""
    bindings: Annotated[tuple[BindingStatus, ...], list_map("host", "port", most=64)] = ()
    """What became of each binding."""
    conditions: Annotated[tuple[Condition, ...], list_map("type", most=16)] = ()
    """What is true of the site, why, and since when: Accepted, PoolsResolved, Published, Ready."""


class Site(Resource):
    """Host names and ports, and which application pool serves which path."""

    kind: str = "Site"
    spec: SiteSpec
    status: SiteStatus = SiteStatus()
