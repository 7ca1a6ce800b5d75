"""A configuration file in parts, to tell whether HAProxy must be reloaded to know it. Pure.

Not compared are the generation, the workers' servers, and pools that went: those are what a running HAProxy can do
without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from webgarden_listener.haproxy.names import GATE

GENERAL = ""
GENERATION = re.compile(r"^  description \w+")


def sections(config: str) -> dict[str, str]:
    """The text of each pool's backend by its name, and of all the rest as `GENERAL`."""
    found: dict[str, list[str]] = {GENERAL: []}
    name = GENERAL
    for line in config.splitlines():
        if line.startswith("backend ") and line.endswith(" from pool"):
            name = line.split()[1]
        elif line and not line.startswith((" ", "#")):
            name = GENERAL
        if not line.startswith("#") and not worker(line):
            found.setdefault(name, []).append(GENERATION.sub("", line))
    return {key: "\n".join(lines) for key, lines in found.items()}


def worker(line: str) -> bool:
    return line.startswith("  server ") and not line.startswith(f"  server {GATE} ")


def lacking(loaded: Mapping[str, str], wanted: Mapping[str, str]) -> set[str]:
    """The sections that a process with `loaded` does not know."""
    return {key for key, text in wanted.items() if loaded.get(key) != text}
