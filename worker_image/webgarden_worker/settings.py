"""The worker's settings: environment variables of the container, read once at the start.

| variable                       | default  | meaning                                                              |
|--------------------------------|----------|----------------------------------------------------------------------|
| `WEBGARDEN_APPLICATIONS`       | none     | what to host: the path of a file, see `applications`                 |
| `WEBGARDEN_PORT`               | 8080     | requests                                                             |
| `WEBGARDEN_CONTROL_PORT`       | 8081     | ping, stats, drain                                                   |
| `WEBGARDEN_CONTROL_TOKEN_FILE` | none     | bearer token of the control port; none: it listens on loopback only  |
| `WEBGARDEN_POOL`, `_WORKER`    | -        | names for the log and the stats                                      |
| `WEBGARDEN_SHUTDOWN_SECONDS`   | 90       | how long running requests may take to finish after SIGTERM           |
| `WEBGARDEN_THREADS`            | 40       | WSGI requests at the same time, over all applications; as many       |
|                                |          | threads, but not less than 40, for synchronous ASGI code and files   |
| `WEBGARDEN_ACCESS_LOG`         | 0        | 1: a line for every request (the listener writes the real log)       |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from webgarden_worker import applications
from webgarden_worker.applications import Application
from webgarden_worker.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Settings:
    applications: tuple[Application, ...] = ()
    port: int = 8080
    control_port: int = 8081
    control_token_file: Path | None = None
    pool: str = "-"
    worker: str = "-"
    shutdown_seconds: int = 90
    threads: int = 40
    access_log: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `SettingsError` for the first variable that cannot be followed."""
        token_file = environment.get("WEBGARDEN_CONTROL_TOKEN_FILE")
        settings = cls(
            applications=applications.read(environment.get(applications.VARIABLE, "")),
            port=_number(environment, "WEBGARDEN_PORT", default=cls.port, most=65535),
            control_port=_number(environment, "WEBGARDEN_CONTROL_PORT", default=cls.control_port, most=65535),
            control_token_file=Path(token_file) if token_file else None,
            pool=environment.get("WEBGARDEN_POOL") or cls.pool,
            worker=environment.get("WEBGARDEN_WORKER") or cls.worker,
            shutdown_seconds=_number(environment, "WEBGARDEN_SHUTDOWN_SECONDS", default=cls.shutdown_seconds),
            threads=_number(environment, "WEBGARDEN_THREADS", default=cls.threads, most=1000),
            access_log=_flag(environment, "WEBGARDEN_ACCESS_LOG"),
        )
        if settings.port == settings.control_port:
            raise SettingsError(f"WEBGARDEN_PORT and WEBGARDEN_CONTROL_PORT are both {settings.port}")
        return settings


def _number(environment: Mapping[str, str], name: str, *, default: int, most: int = 86400) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise SettingsError(f"{name} {text!r} is not a number from 1 to {most}")
    return int(text)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name) or "0"
    if text not in ("0", "1"):
        raise SettingsError(f"{name} {text!r} is neither 0 nor 1")
    return text == "1"
