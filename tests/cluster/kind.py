"""A cluster in containers, by kind: for machines with an engine. Base images are the public ones.

Pods and services are reached with `kubectl port-forward` only, as kind has it.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import cache, commands, progress
from tests.cluster import engine as engines
from tests.cluster.images import Image

NAME = "webgarden"


def engine() -> str | None:
    """The engine that answers, if kind is there to use it."""
    return engines.found() if shutil.which("kind") else None


class Kind:
    def __init__(self, engine: str) -> None:
        self._engine = engine
        os.environ["KIND_EXPERIMENTAL_PROVIDER"] = engine

    def up(self) -> None:
        if NAME in commands.run(["kind", "get", "clusters"]).split():
            self._kind("export", "kubeconfig")
            return
        progress.step("creating a kind cluster")
        self._kind("create", "cluster", "--wait=5m")

    def down(self, *, purge: bool = False) -> None:
        self._kind("delete", "cluster")
        if purge and cache.DIRECTORY.exists():
            shutil.rmtree(cache.DIRECTORY)

    def status(self) -> str:
        return commands.run(["kubectl", f"--kubeconfig={self.kubeconfig()}", "get", "nodes"])

    def kubeconfig(self) -> Path:
        return cache.DIRECTORY / "kind.kubeconfig"

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig())}

    def inside(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def build(self, image: Image) -> None:
        engines.build(self._engine, image)

    def load(self, images: Sequence[str]) -> None:
        for image in images:
            with tempfile.TemporaryDirectory() as directory:
                archive = f"{directory}/image.tar"
                commands.run([self._engine, "save", f"--output={archive}", image])
                commands.run(["kind", "load", "image-archive", archive, f"--name={NAME}"])

    def _kind(self, *command: str) -> None:
        cache.DIRECTORY.mkdir(parents=True, exist_ok=True)
        ours = [f"--name={NAME}", f"--kubeconfig={self.kubeconfig()}"]
        commands.logged(["kind", *command, *ours], log=cache.DIRECTORY / "kind.log")
