"""What the rules need to know besides each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webgarden_listener.haproxy import maps
from webgarden_listener.settings import Settings

PART_OF_CROWD = 0.75
"""Of all connections: with more, connections end with their answer and no request waits that would need a new one."""


@dataclass(frozen=True)
class Frame:
    settings: Settings
    connections: int
    """Most connections of clients: what the settings say, or fewer when there are too few file descriptors."""
    ipv6: bool

    @property
    def crowd(self) -> int:
        return int(self.connections * PART_OF_CROWD)

    def map(self, one: maps.Map) -> str:
        return str(maps.path(self.settings.directory.maps, one.name))

    @property
    def errors(self) -> Path:
        """Folder of the answers to what is no request."""
        return self.settings.directory.root / "errors"
