"""A cluster of one node, from programs built here: for a root user on a machine without an engine.

There is one a machine. Pods and services are reached by address from the host as well as from
inside the namespace; there is no way out for pods. The state is thrown away at `down`; what was
costly to make, programs and base images, stays until `down --purge`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import (
    baseimages,
    binaries,
    cache,
    commands,
    containers,
    controlplane,
    debian,
    dns,
    network,
    node,
    progress,
    remains,
)
from tests.cluster.controlplane import Place, Ports
from tests.cluster.errors import ClusterError
from tests.cluster.images import Image
from tests.cluster.processes import Processes

STATE = Path("/var/lib/webgarden-cluster")
PLACE = Place(STATE, Ports(), address=network.NODE, prefix=network.INSIDE)


class Built:
    def up(self) -> None:
        with cache.locked("cluster"):
            if not _trouble():
                progress.step("it is up already")
                return
            debian.install()
            binaries.kubernetes()
            binaries.helm()
            baseimages.make()
            remains.remove(STATE)
            _start()

    def down(self, *, purge: bool = False) -> None:
        with cache.locked("cluster"):
            remains.remove(STATE)
            if purge:
                baseimages.remove()
                shutil.rmtree(cache.DIRECTORY)

    def status(self) -> str:
        if trouble := _trouble():
            raise ClusterError(f"the cluster is not up: {trouble}")
        return (
            f"up: Kubernetes {binaries.KUBERNETES}, node {node.NAME} is Ready\n"
            f"API {controlplane.url(PLACE)}, kubeconfig {self.kubeconfig()}\n"
            f"pods {network.PODS}, services {controlplane.SERVICES}, node {network.NODE}\n"
            f"from pods: this machine is {network.HOST}\n"
            f"logs {STATE / 'logs'}"
        )

    def kubeconfig(self) -> Path:
        return controlplane.kubeconfig(STATE)

    def environment(self) -> Mapping[str, str]:
        path = f"{binaries.folder()}:{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig()), "PATH": path}

    def inside(self, command: Sequence[str]) -> list[str]:
        self._require()
        return [*network.INSIDE, *command]

    def build(self, image: Image) -> None:
        debian.install()
        baseimages.make()
        downloads = Path.home() / ".cache/pip"
        downloads.mkdir(parents=True, exist_ok=True)
        bases = {"PYTHON_IMAGE": baseimages.PYTHON, "HAPROXY_IMAGE": baseimages.HAPROXY}
        arguments = {**bases, **image.arguments}
        commands.logged(
            [
                *["buildah", "bud", "--layers"],
                *[f"--build-arg={name}={value}" for name, value in arguments.items()],
                f"--volume={downloads}:/root/.cache/pip",
                f"--file={image.dockerfile}",
                f"--tag={image.tag}",
                image.context,
            ],
            log=cache.DIRECTORY / "images.log",
            environment={"BUILDAH_ISOLATION": "chroot"},
        )

    def load(self, images: Sequence[str]) -> None:
        self._require()
        containers.load(STATE, images)

    def _require(self) -> None:
        if not network.PATH.exists():
            raise ClusterError("the cluster is not up")


def _start() -> None:
    STATE.mkdir(parents=True)
    network.create()
    progress.step("starting etcd, kube-apiserver and kube-controller-manager")
    plane = controlplane.start(PLACE)
    progress.step("starting containerd, kubelet, kube-proxy, kube-scheduler and DNS")
    node.start(plane)
    progress.step("the node is Ready and names resolve")


def _trouble() -> str | None:
    """What keeps the cluster from being up."""
    processes = Processes(STATE).recorded()
    ended = [process.name for process in processes if not process.alive()]
    if ended or not processes:
        return f"{', '.join(ended)} ended" if ended else "it was not started"
    if not node.ready(controlplane.administrator(PLACE)):
        return "its node is not Ready"
    return None if dns.resolves() else "its DNS does not answer"
