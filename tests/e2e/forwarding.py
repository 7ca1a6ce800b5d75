"""A way to the listener from where its Service cannot be reached: a laptop beside a cluster in containers, or far away."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.asking import Place
from tests.e2e.installation import NAMESPACE, Installation

PATIENCE = 2.0


@contextmanager
def way_in(installation: Installation) -> Iterator[Place]:
    """The Service's own address where it answers, else that of a `kubectl port-forward` to one of the listeners."""
    place = installation.listener
    if _answers(place):
        yield place
        return
    command = ["kubectl", "port-forward", f"--namespace={NAMESPACE}", "service/webgarden-listener", ":80"]
    environment = dict(installation.way.environment())
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout
            said = forwarding.stdout.readline()
            port = re.search(r"127\.0\.0\.1:(\d+)", said)
            assert port, f"kubectl port-forward said {said!r}"
            yield Place("127.0.0.1", int(port[1]))
        finally:
            forwarding.terminate()


def _answers(place: Place) -> bool:
    try:
        with socket.create_connection((place.address, place.port), PATIENCE):
            return True
    except OSError:
        return False
