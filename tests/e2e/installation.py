"""The release that all end-to-end tests share: images built and loaded, the chart installed, listeners connected.

Images keep their tag when they change, so a release that runs others is taken away first; which ones the cluster has is
written into the cluster itself, where it goes with it. `python -m tests.e2e.installation` does it by hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import commands, images, progress, ways
from tests.e2e.asking import Place
from tests.e2e.kubernetes import Body, Kubernetes, access, condition, environment
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/webgarden"
NAMESPACE = "webgarden"
RELEASE = "webgarden"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
LISTENER_PORT = 10_000
"""Where a listener's pod takes what its Service takes on port 80."""
_RECORD = ("webgarden-e2e-images", "kube-system")
_TOLD = 180.0
_ROLLS = 240.0


@dataclass(frozen=True)
class Installation:
    """The cluster with the release in it."""

    way: ways.Way
    kubernetes: Kubernetes

    @property
    def listener(self) -> Place:
        service = self.kubernetes.get("Service", "webgarden-listener", NAMESPACE)
        assert service, "there is no listener"
        return Place(service["spec"]["clusterIP"])

    def pods(self, component: str) -> list[Body]:
        """Pods of the `operator` or the `listener` that are not on their way out, the oldest first."""
        found = self.kubernetes.list("Pod", NAMESPACE)
        prefix = f"webgarden-{component}-"
        ours = [p for p in found if p["metadata"]["name"].startswith(prefix)]
        alive = [p for p in ours if "deletionTimestamp" not in p["metadata"]]
        return sorted(alive, key=lambda p: str(p["metadata"]["creationTimestamp"]))

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """A program that talks to the cluster, such as kubectl; what it printed."""
        done = subprocess.run(
            command,
            env=dict(self.way.environment()),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}"
        return done.stdout

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self.run("kubectl", *words, stdin=stdin)

    def install(self, *settings: str) -> None:
        """Install or upgrade; returns when operators are ready and every listener is connected."""
        labels = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
        self.kubernetes.apply(labels)
        values = [f"--set={value}" for value in (*_image_values(), *settings)]
        self.run(
            "helm", "upgrade", "--install", RELEASE, str(CHART), f"-n={NAMESPACE}", "--wait", "--timeout=2m", *values
        )
        self.connected()

    def connected(self, *, seconds: float = _TOLD) -> None:
        """Wait until every listener that is wished for is connected to the operator."""

        def ready() -> bool:
            server = self.kubernetes.get("WebServer", "default")
            return bool(condition(server, "Ready")["status"] == "True")

        until(
            ready, "WebServer default Ready", seconds=seconds, seen=lambda: self.kubernetes.get("WebServer", "default")
        )

    def rolled_out(self, variable: str, value: str) -> None:
        """Wait until an upgrade has replaced the listeners: all have this in HAProxy's environment, and are connected.
        Helm knows nothing of them, and their Deployment changes only when the new operator leads."""

        def variables() -> list[str]:
            pods = self.pods("listener")
            return [environment(pod, "haproxy")[variable] for pod in pods]

        until(lambda: set(variables()) == {value}, f"listeners with {variable}={value}", seconds=_ROLLS, seen=variables)
        self.connected()

    def uninstall(self, *, grace_seconds: int | None = None) -> None:
        """Returns when its pods are gone. A listener takes its time, unless a grace period is given."""
        self.run("helm", "uninstall", RELEASE, f"-n={NAMESPACE}", "--wait", check=False)
        for pod in self.kubernetes.list("Pod", NAMESPACE) if grace_seconds is not None else []:
            self.kubernetes.delete("Pod", pod["metadata"]["name"], NAMESPACE, grace_seconds=grace_seconds)

        def gone() -> bool:
            return not self.kubernetes.list("Pod", NAMESPACE)

        until(gone, "the pods of the release to be gone", seconds=_TOLD)

    def diagnosis(self) -> str:
        """What one looks at first when something is wrong."""
        said = [self.run("kubectl", "get", "pods", "-A", "-o", "wide", check=False)]
        for pod in (*self.pods("operator"), *self.pods("listener")):
            name = pod["metadata"]["name"]
            command = ("kubectl", "logs", f"-n={NAMESPACE}", name, "--all-containers", "--tail=400", "--prefix")
            lines = self.run(*command, check=False).splitlines()
            said += [line for line in lines if '"time":' not in line][-60:]  # but for the access log
        return "\n".join(said)


def _image_values() -> Iterator[str]:
    given = {"image": images.OPERATOR, "listenerImage": images.LISTENER, "workerImage": images.WORKER}
    for name, image in given.items():
        repository, _, tag = image.rpartition(":")
        yield from (f"{name}.repository={repository}", f"{name}.tag={tag}")
    if images.REGISTRY != images.LOCAL:  # the tag stays, whatever is pushed
        yield "imagePullPolicy=Always"


def cluster() -> Installation:
    """The cluster, made if it is not up."""
    way = ways.chosen()
    way.up()
    return Installation(way, Kubernetes(access(way.kubeconfig())))


def installed() -> Installation:
    """The cluster with a release of the present images."""
    found = cluster()
    if os.environ.get("WEBGARDEN_RELEASE") == "current":
        found.connected()
        return found
    if provide_images(found):
        found.uninstall(grace_seconds=1)
    progress.step("installing the chart")
    found.install()
    return found


def provide_images(found: Installation) -> bool:
    """Build the images and load those that the cluster does not have. Whether it had others."""
    for image in images.ours():
        progress.step(f"building {image.tag}")
        found.way.build(image)
    tags = [image.tag for image in images.ours()]
    built = dict(zip(tags, _ids(tags), strict=True))
    name, namespace = _RECORD
    record = found.kubernetes.get("ConfigMap", name, namespace)
    loaded = (record or {}).get("data", {})
    missing = [tag for tag in tags if loaded.get(_key(tag)) != built[tag]]
    if not missing:
        return False
    progress.step(f"loading {', '.join(missing)}")
    found.way.load(missing)
    data = {_key(tag): number for tag, number in built.items()}
    metadata = {"name": name, "namespace": namespace}
    found.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return record is not None


def _key(tag: str) -> str:
    return tag.replace("/", "_").replace(":", ".")


def _ids(tags: Sequence[str]) -> list[str]:
    engine = next(
        e for e in ("podman", "docker") if shutil.which(e) and commands.succeeds([e, "image", "inspect", tags[0]])
    )
    return commands.run([engine, "image", "inspect", "--format={{.Id}}", *tags]).split()


if __name__ == "__main__":
    if sys.argv[1:] == ["images"]:
        provide_images(cluster())
    else:
        installed()
