"""A real API server for all tests of this folder: etcd, kube-apiserver, controller manager; no kubelet.

The operator's own tests have it running as a process beside a played node and played listeners, all for one session, and a
namespace each.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import binaries, controlplane
from tests.operator.garden import Garden, Yard

NUMBERS = itertools.count(1)
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


@pytest.fixture(scope="session")
def planted(crds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Garden]:
    garden = Garden(crds, tmp_path_factory.mktemp("garden"))
    garden.start()
    try:
        yield garden
    finally:
        garden.stop()


@pytest.fixture
def garden(planted: Garden) -> Garden:
    """One operator that leads, and all listeners connected to it."""
    planted.settle()
    return planted


@pytest.fixture
def yard(garden: Garden, request: pytest.FixtureRequest) -> Iterator[Yard]:
    """A namespace of the test's own, named after it."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:48].strip('-')}-{next(NUMBERS)}"
    made = garden.yard(name)
    yield made
    garden.world.request("DELETE", f"/api/v1/namespaces/{name}")
