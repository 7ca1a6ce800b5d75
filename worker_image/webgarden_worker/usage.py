"""What the process uses: memory from /proc/self/status, CPU time from the clock.

`privateMemory` is RssAnon, what IIS calls private bytes: memory that nobody else can share, resident. `virtualMemory`
is VmSize. Where there is no /proc (a developer's Mac) or no such line (gVisor) the figure is None, never 0: a memory
limit that compares with 0 would look kept.
"""

import time
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True)
class Usage:
    rss: int | None  # bytes, as the next two
    private: int | None
    virtual: int | None
    cpu_seconds: float


def current() -> Usage:
    try:
        lines = _STATUS.read_text()
    except OSError:
        lines = ""
    return parse(lines, cpu_seconds=time.process_time())


def parse(status: str, *, cpu_seconds: float) -> Usage:
    """Read the text of /proc/PID/status."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Usage(
        rss=_bytes(fields.get("VmRSS")),
        private=_bytes(fields.get("RssAnon")),
        virtual=_bytes(fields.get("VmSize")),
        cpu_seconds=cpu_seconds,
    )


def _bytes(field: str | None) -> int | None:
    """`  1234 kB` in bytes; the kernel has no other unit there."""
    return int(field.split()[0]) * 1024 if field else None
