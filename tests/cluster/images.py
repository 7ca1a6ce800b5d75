"""The images of this project: which there are, and what each is built of.

The parts are built with the repository as their context, an extra one (an example) with its own
folder. Dockerfiles take the images they build on as arguments: PYTHON_IMAGE and HAPROXY_IMAGE,
public ones unless a way has to stand in for them, and the examples WORKER_IMAGE.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCAL = "localhost"
REGISTRY = os.environ.get("WEBGARDEN_REGISTRY", LOCAL)
OPERATOR = f"{REGISTRY}/webgarden-operator:dev"
LISTENER = f"{REGISTRY}/webgarden-listener:dev"
WORKER = f"{REGISTRY}/webgarden-worker:dev"


@dataclass(frozen=True)
class Image:
    tag: str
    dockerfile: Path
    context: Path
    arguments: Mapping[str, str] = field(default_factory=dict)


def ours() -> list[Image]:
    folders = {"operator": OPERATOR, "listener_image": LISTENER, "worker_image": WORKER}
    images = [Image(tag, ROOT / name / "Dockerfile", ROOT) for name, tag in folders.items()]
    return [image for image in images if image.dockerfile.exists()]


def extra(folder: Path, tag: str) -> Image:
    return Image(tag, folder / "Dockerfile", folder, {"WORKER_IMAGE": WORKER})
