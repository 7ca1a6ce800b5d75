"""What the clients of the load do: who they ask, how, and how often. `load` carries it out in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Some clients that all do the same."""

    address: str
    port: int = 80
    host: str
    method: str = "GET"
    """GET, POST, or WS: a WebSocket on which each word that comes back is a request answered."""
    path: str = "/"
    connections: int = 4
    keep_alive: bool = True
    size: int = 1000
    """Bytes of a POST's body."""
    words: int = 20
    """After which a WebSocket says goodbye and a new one is opened."""
    digest: str = ""
    """The answer to a POST is a JSON object with the body's SHA-256 under this name; empty: it is the digest itself."""
    rate: float = 0
    """Requests a second, over all connections; 0: as fast as answers come."""
    requests: int = 1_000_000
    seconds: float = 600
    patience: float = 60
    """Seconds after which an answer counts as a timeout."""

    @property
    def label(self) -> str:
        if self.method == "WS":
            return "WebSocket"
        return f"{self.method} {'keep-alive' if self.keep_alive else 'close'}"
