"""Load in the background of a test: starts the load client, says how far it is, and brings its counts back.

The process ends with the block, however the block ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.clients import Clients
from tests.e2e.losses import Loss
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]
LAST_ANSWERS = 90.0


@dataclass(frozen=True)
class Result:
    counts: list[dict[str, Any]]

    @property
    def ok(self) -> int:
        return sum(c["ok"] for c in self.counts)

    @property
    def posted(self) -> int:
        return sum(c["ok"] for c in self.counts if c["label"].startswith("POST"))

    @property
    def failed(self) -> int:
        return sum(sum(c["failures"].values()) for c in self.counts)

    @property
    def losses(self) -> list[Loss]:
        return [Loss(**loss) for c in self.counts for loss in c["losses"]]

    @property
    def processes(self) -> set[str]:
        """Workers that answered."""
        return {name for c in self.counts for name in c["processes"]}

    def __str__(self) -> str:
        lines = [
            f"{c['label']:>16}: {c['ok']:6} answered, {sum(c['failures'].values())} failed {c['failures'] or ''} "
            f"p50 {c['p50'] * 1000:.1f} ms, p99 {c['p99'] * 1000:.1f} ms, max {c['max'] * 1000:.0f} ms"
            for c in self.counts
        ]
        return "\n".join([*lines, *(example for c in self.counts for example in c["examples"])])


@dataclass
class Traffic:
    """What the client has said so far, and in the end its result."""

    process: subprocess.Popen[str]
    ok: int = 0
    failed: int = 0
    _result: Result | None = None
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            if said["final"]:
                self._result = Result(said["counts"])
            else:
                self.ok, self.failed = said["ok"], said["failed"]

    def answered(self, more: int, *, seconds: float = 60) -> None:
        """Wait until that many more requests have been answered."""
        goal = self.ok + more
        until(lambda: self.ok >= goal, f"{goal} answers", seconds=seconds, seen=lambda: f"{self.ok}, {self.failed} bad")

    def end(self) -> Result:
        """Let every client finish the request it is at."""
        assert self.process.stdin
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(LAST_ANSWERS)
        self._reader.join(LAST_ANSWERS)
        assert self._result is not None, "the load client ended without a result"
        print(self._result)
        return self._result


@contextmanager
def traffic(*clients: Clients) -> Iterator[Traffic]:
    command = [sys.executable, "-m", "tests.e2e.load", json.dumps([asdict(c) for c in clients])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        running = Traffic(process)
        try:
            yield running
        finally:
            process.kill()
