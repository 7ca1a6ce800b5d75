"""A container engine, Docker or Podman, where there is one: it builds images."""

import shutil

from tests.cluster import cache, commands
from tests.cluster.images import Image


def found() -> str | None:
    """The engine that answers."""
    candidates = [name for name in ("docker", "podman") if shutil.which(name)]
    return next((name for name in candidates if commands.succeeds([name, "info"])), None)


def build(engine: str, image: Image) -> None:
    arguments = [f"--build-arg={name}={value}" for name, value in image.arguments.items()]
    command = [engine, "build", f"--file={image.dockerfile}", f"--tag={image.tag}"]
    commands.logged([*command, *arguments, image.context], log=cache.DIRECTORY / "images.log")
