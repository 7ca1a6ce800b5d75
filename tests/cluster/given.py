"""A cluster somebody gives us: used as it is, never started or ended.

Its images come by a registry that it pulls from, WEBGARDEN_REGISTRY: they are built with Docker or Podman and pushed there.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import cache, commands, engine
from tests.cluster.errors import ClusterError
from tests.cluster.images import LOCAL, REGISTRY, Image


class Given:
    def up(self) -> None:
        self.status()

    def down(self, *, purge: bool = False) -> None:
        pass

    def status(self) -> str:
        return commands.run(["kubectl", f"--kubeconfig={self.kubeconfig()}", "get", "nodes"])

    def kubeconfig(self) -> Path:
        if not (path := os.environ.get("KUBECONFIG")):
            raise ClusterError("WEBGARDEN_CLUSTER=current needs KUBECONFIG")
        return Path(path)

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def inside(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def build(self, image: Image) -> None:
        if REGISTRY == LOCAL:
            raise ClusterError(
                "set WEBGARDEN_REGISTRY to a registry that you may push to and the cluster may pull from"
            )
        engine.build(self._engine, image)

    def load(self, images: Sequence[str]) -> None:
        for image in images:
            commands.logged([self._engine, "push", image], log=cache.DIRECTORY / "images.log")

    @property
    def _engine(self) -> str:
        if (found := engine.found()) is None:
            raise ClusterError("building images needs Docker or Podman, and none answers")
        return found
