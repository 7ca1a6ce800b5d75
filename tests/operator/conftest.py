"""A real API server for all tests of this folder: etcd, kube-apiserver, controller manager; no kubelet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import binaries, controlplane

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubeconfig of its administrator."""
    with controlplane.running(tmp_path_factory.mktemp("controlplane")) as path:
        yield path


@pytest.fixture(scope="session")
def crds(kubeconfig: Path) -> Path:
    """The same kubeconfig, once our kinds are served."""
    kubectl = [str(binaries.kubernetes() / "kubectl"), f"--kubeconfig={kubeconfig}"]
    subprocess.run([*kubectl, "apply", "--server-side", "--force-conflicts", f"--filename={CRDS}"], check=True)
    established = ["wait", "--for=condition=Established", "--timeout=30s", f"--filename={CRDS}"]
    subprocess.run([*kubectl, *established], check=True)
    return kubeconfig
