"""What the API server says of one kind in one namespace, and the moment at which it came here.

A watch in a thread of its own, for moments that a poll would blur. It begins with what is there already.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode, urlsplit

from tests.e2e.kubernetes import Access, Body, path

LONGEST = 900


@dataclass(frozen=True)
class Seen:
    at: float
    """`time.monotonic()`."""
    type: str
    body: Body


@dataclass
class Watch:
    """A context manager; `first` waits for what its caller is interested in."""

    access: Access
    kind: str
    namespace: str
    _seen: list[Seen] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        server = urlsplit(self.access.server)
        assert server.hostname
        self._connection = http.client.HTTPSConnection(server.hostname, server.port, context=self.access.context)
        query = urlencode({"watch": "true", "timeoutSeconds": LONGEST})
        token = {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}
        self._connection.request("GET", f"{path(self.kind, self.namespace)}?{query}", headers=token)
        self._response = self._connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.sock is not None:
            self._connection.sock.close()

    def _read(self) -> None:
        try:
            for line in self._response:
                at = time.monotonic()
                said = json.loads(line)
                with self._news:
                    self._seen.append(Seen(at, said["type"], said["object"]))
                    self._news.notify_all()
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return  # closed by us, in the middle of a read

    def first(self, wanted: Callable[[Body], object], *, since: float, seconds: float = 60) -> Seen:
        """The first event after `since` whose object is as wanted."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                for seen in self._seen:
                    if seen.at >= since and wanted(seen.body):
                        return seen
                if not self._news.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{self.kind} in {self.namespace}: not seen within {seconds:g} s")
