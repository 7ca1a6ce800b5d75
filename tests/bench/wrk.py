"""The load generator: wrk, so that what is measured is the proxy and not the client. Bounded in connections and time."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from tests.cluster import progress
from tests.e2e.asking import Place

CONNECTIONS = 64
REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "failed": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Result:
    requests: int
    failed: int
    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float


def install() -> None:
    if shutil.which("wrk") is None:
        assert shutil.which("apt-get"), "install wrk, the load generator"
        progress.step("installing wrk")
        subprocess.run(["apt-get", "install", "--yes", "--quiet=2", "wrk"], check=True, stdout=subprocess.DEVNULL)


def load(place: Place, host: str, *, seconds: int, connections: int = CONNECTIONS) -> Result:
    """GET / over connections that are kept, as fast as answers come."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT)
        script.flush()
        command = [
            "wrk",
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds}s",
            f"--script={script.name}",
        ]
        url = f"http://{place.address}:{place.port}/"
        said = subprocess.run(
            [*command, f"--header=Host: {host}", url], check=True, capture_output=True, text=True
        ).stdout
    found = json.loads(said.rpartition("RESULT ")[2])
    rate = 1e6 * found["requests"] / found["microseconds"]
    return Result(found["requests"], found["failed"], rate, found["p50"] / 1000, found["p99"] / 1000)
