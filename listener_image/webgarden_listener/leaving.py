"""Leaving without losing a request: the preStop hooks of both containers.

`leave`, HAProxy's hook:
1. Readiness goes off, so that endpoints and load balancers forget this pod, and every answer says `Connection: close`.
   New connections are still accepted (`linger`).
2. The ports are closed.
3. The hook returns when no client is connected any more, or `grace` is over. TERM comes only then.

`stay`, the agent's, gives no orders and waits for the same: pools without a worker need the agent until then.

HAProxy is not told to finish (USR1): one that finishes takes no orders any more, so what waits for a worker could not be
given one. An idle connection ends with its next answer or with the keep-alive time-out.

The kubelet runs both hooks at the same moment when it ends a pod; a hook alone, when it restarts a container whose
liveness probe fails. So `stay` makes nobody leave, and a container of HAProxy that starts anew has not left (`forget`). An
HAProxy that died meanwhile and is back in its container is told again: orders are repeated as long as it lasts.

None of it needs the agent, a disk with room, or an HAProxy that answers: what cannot be done is said, and the rest goes
on. A pod's grace period must exceed linger + grace.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from webgarden_listener.haproxy.names import READY
from webgarden_listener.settings import Directory, Settings

PAUSE = 0.1
TIMEOUT = 2.0
GONE = 5.0
"""Seconds after which an HAProxy that gives no sign of life is not waited for: its supervisor had it back in two."""
ENDED = 1.0
"""The same for one whose ports were closed: nothing is left of it, and nothing more would come."""
FRONT = "www"
"""HAProxy's name of the frontend of all sites."""
QUESTION = f"show stat {FRONT} 1 -1"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Front:
    open: bool
    clients: int
    """Connections, idle ones among them."""


def leave(settings: Settings) -> None:
    mark(settings.directory.leaving)
    Waiting(settings, orders=True).wait()


def stay(settings: Settings) -> None:
    """Returns when it turns out that this container alone is restarted, too."""
    until = time.monotonic() + settings.timing.linger
    while not settings.directory.leaving.exists():
        if time.monotonic() > until:
            return
        time.sleep(PAUSE)
    Waiting(settings, orders=False).wait()


class Waiting:
    def __init__(self, settings: Settings, *, orders: bool) -> None:
        self._settings = settings
        self._orders = orders
        self._closing = time.monotonic() - age(settings.directory.leaving) + settings.timing.linger
        self._front: Front | None = None  # as it was seen last
        self._seen = time.monotonic()
        self._said = ""

    def wait(self) -> None:
        over = self._closing + self._settings.timing.grace
        while time.monotonic() < over and not self._left():
            time.sleep(PAUSE)

    def _left(self) -> bool:
        found = front(self._ask())
        self._front = found or self._front
        if found or answers(self._settings.haproxy.health_port):
            self._seen = time.monotonic()
        if found and not found.open:
            return found.clients == 0
        return time.monotonic() - self._seen > (ENDED if self._closed() else GONE)

    def _closed(self) -> bool:
        """As far as is known."""
        return self._front is not None and not self._front.open

    def _ask(self) -> str:
        try:
            answer = ask(self._settings.directory.admin, self._command())
        except OSError as error:
            self._say(f"HAProxy cannot be asked: {error!r}")
            return ""
        self._say(answer.partition("# ")[0].strip())
        return answer

    def _command(self) -> str:
        if not self._orders:
            return QUESTION
        close = time.monotonic() >= self._closing and not self._closed()
        return orders(close=close)

    def _say(self, words: str) -> None:
        if words and words != self._said:
            log.warning("%s", words)
        self._said = words


def forget(directory: Directory) -> None:
    """HAProxy's container starts: whoever left, it was not this life."""
    try:
        directory.leaving.unlink(missing_ok=True)
    except OSError as error:
        log.warning("This listener goes on leaving: %s", error)


def mark(path: Path) -> None:
    """Make the file if nobody did yet."""
    try:
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
    except OSError as error:
        log.warning("It cannot be noted that this listener leaves: %s", error)


def age(path: Path) -> float:
    """Seconds since a file was made."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def orders(*, close: bool) -> str:
    """What HAProxy is told and asked, again and again: one that has just started knows nothing of it."""
    return "; ".join([f"set server {READY} state maint", *([f"disable frontend {FRONT}"] if close else []), QUESTION])


def ask(path: Path, command: str) -> str:
    """One line of commands to HAProxy, and its answers. Raises `OSError`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(str(path))
        client.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")


def front(answer: str) -> Front | None:
    """The frontend in the table at the end of the answers."""
    rows = csv.DictReader(answer.partition("# ")[2].splitlines())
    found = next((row for row in rows if row["pxname"] == FRONT), None)
    return Front(open=found["status"] == "OPEN", clients=int(found["scur"])) if found else None


def answers(port: int) -> bool:
    """Whether HAProxy lives, by another way: it may serve clients and be out of reach for orders."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return client.recv(1) != b""
    except OSError:
        return False
