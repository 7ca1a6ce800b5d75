"""`make demo`: a pool that sleeps is woken by a request, recycled under load without losing one, and sleeps again.

On the test cluster, with the release and examples/quickstart.yaml; safe to run again, and it leaves both there to look at.
Exits with 1 when something that it shows did not happen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.e2e.asking import Place, ask
from tests.e2e.clients import Clients
from tests.e2e.forwarding import way_in
from tests.e2e.installation import Installation, installed
from tests.e2e.kubernetes import Body
from tests.e2e.traffic import traffic

NAME = "quickstart"
HOST = "quickstart.example"
FILE = "examples/quickstart.yaml"
TURNS = 5
_began = time.monotonic()


class Unseen(Exception):
    """What was to be shown did not happen."""


def say(text: str) -> None:
    print(f"{time.monotonic() - _began:6.1f} s  {text}", flush=True)


def wait(what: str, condition: Callable[[], bool], *, seconds: float) -> None:
    """With a sign of life every ten seconds."""
    deadline = time.monotonic() + seconds
    shown = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > deadline:
            raise Unseen(f"{what}: not within {seconds:g} s")
        if now - shown >= 10:
            shown = now
            say(f"... waiting for {what}, {deadline - now:.0f} s at most")
        time.sleep(0.2)


class Quickstart:
    def __init__(self, installation: Installation, place: Place) -> None:
        self._installation = installation
        self.place = place

    @property
    def status(self) -> Body:
        pool = self._installation.kubernetes.get("ApplicationPool", NAME, NAME)
        found: Body = (pool or {}).get("status") or {}
        return found

    @property
    def workers(self) -> list[str]:
        return [f"{w['name']} ({w['state']})" for w in self.status.get("workers", [])]

    def apply(self) -> None:
        self._installation.kubectl("apply", f"--filename={FILE}")
        wait("the pool to be looked at", lambda: "state" in self.status, seconds=60)

    def asleep(self) -> bool:
        return not self.workers and bool(self.status)

    def recycle(self) -> None:
        before = self.status.get("recycles", 0)
        wish = {"metadata": {"annotations": {"webgarden.dev/recycle": datetime.now(UTC).isoformat()}}}
        self._installation.kubernetes.patch("ApplicationPool", NAME, NAME, wish)
        wait("the recycle", lambda: self.status.get("recycles", 0) > before, seconds=60)
        wait("the new worker alone", lambda: len(self.workers) == 1, seconds=60)


def show(installation: Installation, place: Place) -> None:
    quickstart = Quickstart(installation, place)
    say(f"kubectl apply -f {FILE}")
    quickstart.apply()
    wait("the pool to be asleep (it sleeps a minute after its last request)", quickstart.asleep, seconds=150)
    say("the pool is asleep: no worker")
    wake(quickstart)
    recycle_under_load(quickstart)
    say("nobody asks any more; idleTimeout of this pool is one minute")
    wait("the pool to fall asleep", quickstart.asleep, seconds=150)
    say("the pool is asleep again: no worker")


def wake(quickstart: Quickstart) -> None:
    def answered() -> bool:
        answer = ask(quickstart.place, HOST, "/app/")
        if answer.status == 200:
            say(f"the first request woke it: {answer}")
        elif answer.reason != "NoSite":
            raise Unseen(f"the first request: {answer}")
        return answer.status == 200

    wait("an answer", answered, seconds=60)
    wait("the status to say so", lambda: len(quickstart.workers) == 1, seconds=30)
    say(f"workers: {', '.join(quickstart.workers)}")


def recycle_under_load(quickstart: Quickstart) -> None:
    place = quickstart.place
    clients = Clients(
        address=place.address,
        port=place.port,
        host=HOST,
        path="/app/echo",
        method="POST",
        connections=8,
        digest="sha256",
    )
    say(f"{TURNS} recycles, eight clients at full speed meanwhile")
    with traffic(clients) as load:
        load.answered(500)
        for turn in range(1, TURNS + 1):
            quickstart.recycle()
            say(f"recycle {turn}: {load.ok} answered, {load.failed} failed; now {', '.join(quickstart.workers)}")
        load.answered(500)
        result = load.end()
    say(f"{result.ok} requests answered, {result.failed} failed, during {TURNS} recycles")
    if result.failed:
        raise Unseen("requests were lost")


def main() -> int:
    installation = installed()
    try:
        with way_in(installation) as place:
            show(installation, place)
    except Unseen as error:
        say(f"this went wrong: {error}")
        print(installation.diagnosis())
        return 1
    finally:
        installation.kubernetes.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
