"""Kubernetes and Helm, built from their published Go modules and cached by what they are built of.

`components/` is a Go module of ours with one multi-call binary: a name for each component links
to it. A cold build takes four to eleven minutes and 4 GB of Go caches, any later call is instant.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from tests.cluster import cache, commands, progress
from tests.cluster.errors import ClusterError

KUBERNETES = "1.35.4"
HELM = "helm.sh/helm/v3/cmd/helm@v3.20.2"
SOURCE = Path(__file__).parent / "components"
NAMES = (
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
_VERSION = "k8s.io/component-base/version"
_MINOR = KUBERNETES.split(".")[1]
_FLAGS = f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor={_MINOR}"


def folder() -> Path:
    """Where the programs are or will be."""
    digest = hashlib.sha256(f"{_FLAGS} {HELM}".encode())
    for source in sorted(SOURCE.rglob("*.*")):
        digest.update(source.read_bytes())
    return cache.DIRECTORY / f"kubernetes-{KUBERNETES}-{digest.hexdigest()[:12]}"


def kubernetes() -> Path:
    """The folder of the components and `pause`, built when needed."""
    target = folder()
    with cache.locked("build"):
        if not (target / NAMES[0]).exists():
            progress.step(f"building Kubernetes {KUBERNETES} (minutes, once); log: {_log()}")
            _go("build", "-trimpath", "-ldflags", _FLAGS, "-o", f"{target}/", "./...")
            for name in reversed(NAMES):
                (target / name).unlink(missing_ok=True)
                (target / name).symlink_to("components")
    return target


def helm() -> Path:
    target = folder() / "helm"
    with cache.locked("build"):
        if not target.exists():
            progress.step("building Helm (a minute, once)")
            _go("install", "-trimpath", "-ldflags", "-s -w", HELM)
    return target


def _go(*arguments: str) -> None:
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOBIN": str(folder())}
    folder().mkdir(parents=True, exist_ok=True)
    commands.logged([_toolchain(), *arguments], log=_log(), environment=environment, directory=SOURCE)


def _toolchain() -> str:
    path = os.environ.get("PATH", "") + ":/usr/local/go/bin"
    go = shutil.which("go", path=path)
    needed = _numbers(re.search(r"^go (\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE))
    cure = f"install Go {'.'.join(map(str, needed))} or newer (go.dev/dl) to /usr/local/go"
    if go is None:
        raise ClusterError(f"there is no Go to build Kubernetes with: {cure}")
    found = commands.run([go, "env", "GOVERSION"]).strip()
    if _numbers(re.search(r"go(\S+)", found)) < needed:
        raise ClusterError(f"{go} is {found}, which is too old to build Kubernetes: {cure}")
    return go


def _numbers(version: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version[1])) if version else ()


def _log() -> Path:
    return cache.DIRECTORY / "build.log"
