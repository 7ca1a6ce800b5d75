"""The images of this project: which there are, and what each is built of.

The parts are built with the repository as their context, an extra one (an example) with its own
folder. Dockerfiles take their base images as build arguments.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATOR = "localhost/webgarden-operator:dev"
LISTENER = "localhost/webgarden-listener:dev"
WORKER = "localhost/webgarden-worker:dev"


@dataclass(frozen=True)
class Image:
    tag: str
    dockerfile: Path
    context: Path


def ours() -> list[Image]:
    folders = {"operator": OPERATOR, "listener_image": LISTENER, "worker_image": WORKER}
    images = [Image(tag, ROOT / name / "Dockerfile", ROOT) for name, tag in folders.items()]
    return [image for image in images if image.dockerfile.exists()]


def extra(folder: Path, tag: str) -> Image:
    return Image(tag, folder / "Dockerfile", folder)
