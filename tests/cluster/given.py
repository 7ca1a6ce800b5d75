"""A cluster somebody gives us: used as it is, never started, ended or filled with images."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import commands
from tests.cluster.errors import ClusterError
from tests.cluster.images import Image


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
        raise ClusterError(f"build {image.tag} yourself, and push it where the cluster finds it")

    def load(self, images: Sequence[str]) -> None:
        raise ClusterError(f"push {' '.join(images)} yourself to where the cluster finds them")
