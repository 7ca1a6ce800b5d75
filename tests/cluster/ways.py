"""The three ways to a cluster, and which one it is on this machine.

1. WEBGARDEN_CLUSTER=current: the cluster KUBECONFIG points to, which is not ours to make or end.
2. An engine (Docker or Podman) and `kind`: a developer's machine, a hosted pipeline.
3. Neither, but Linux and root: built from source, one node in a network namespace (`built`).
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.cluster import built, given, kind
from tests.cluster.errors import ClusterError
from tests.cluster.images import Image


class Way(Protocol):
    def up(self) -> None:
        """Instant when it is up already; cleans up first after a crash."""

    def down(self, *, purge: bool = False) -> None:
        """Leave nothing behind, with `purge` no cache either."""

    def status(self) -> str:
        """Raises ClusterError when it is not up."""
        ...

    def kubeconfig(self) -> Path: ...

    def environment(self) -> Mapping[str, str]:
        """What a program needs in order to talk to the cluster: KUBECONFIG, PATH."""
        ...

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command that runs this command where pods and services can be reached."""
        ...

    def build(self, image: Image) -> None: ...

    def load(self, images: Sequence[str]) -> None:
        """Make images of the local storage available to the cluster."""


def chosen() -> Way:
    if os.environ.get("WEBGARDEN_CLUSTER") == "current":
        return given.Given()
    if engine := kind.engine():
        return kind.Kind(engine)
    if sys.platform == "linux" and os.geteuid() == 0:
        return built.Built()
    raise ClusterError(
        "no way to a cluster: set WEBGARDEN_CLUSTER=current and KUBECONFIG, or install Docker "
        "and kind, or be root on Linux"
    )
