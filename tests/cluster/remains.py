"""What a node leaves on a machine, and its removal: the one way down and the way up after a crash.

Everything is found anew by what it is, so that it does not matter how the cluster ended. The order
counts: what could start or mount something ends before what it started or mounted is removed.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import commands, containers, network, node
from tests.cluster.processes import Processes, until

# Folders which the programs let nobody choose.
CONTAINER_LOGS = Path("/var/log/containers")
CNI_RESULTS = Path("/var/lib/cni/results")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
SHIM_SOCKETS = Path("/run/containerd/s")


def remove(directory: Path) -> None:
    Processes(directory).stop()
    containers.kill_leftovers(directory)
    until(lambda: _unmounted(directory), f"the mounts below {directory} to go", seconds=20)
    network.remove()
    for hierarchy in node.hierarchies():
        _remove_cgroup(hierarchy / node.CGROUP.lstrip("/"))
    for stray in list(_strays(directory)):
        stray.unlink(missing_ok=True)
    for folder in (CONTAINER_LOGS, CNI_RESULTS, DEVICE_PLUGINS, SHIM_SOCKETS):
        _remove_empty(folder)
    if directory.exists():
        shutil.rmtree(directory)


def _unmounted(directory: Path) -> bool:
    """Unmounts what it sees, innermost first; mounts on one another take another look."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [Path(line.split()[4]) for line in mounts]
    ours = [place for place in places if place.is_relative_to(directory)]
    for place in reversed(ours):
        commands.succeeds(["umount", place])
    return not ours


def _remove_cgroup(group: Path) -> None:
    if not group.exists():
        return
    for inner in group.iterdir():
        if inner.is_dir():
            _remove_cgroup(inner)
    # A killed process holds its group for a moment after it is gone.
    until(lambda: _removed(group), f"{group} to be empty", seconds=10)


def _removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def _strays(directory: Path) -> Iterator[Path]:
    """Files of ours in folders that may be somebody else's as well."""
    for log in CONTAINER_LOGS.glob("*.log"):
        if log.is_symlink() and log.readlink().is_relative_to(directory):
            yield log
    for result in CNI_RESULTS.glob(f"{network.NAME}-*-eth0"):
        yield result
        container = result.name.removeprefix(f"{network.NAME}-").removesuffix("-eth0")
        yield CNI_RESULTS / f"cni-loopback-{container}-lo"
    for address in (directory / containers.STATE).glob("*/k8s.io/*/address"):
        yield Path(address.read_text().removeprefix("unix://"))
    yield DEVICE_PLUGINS / "kubelet.sock"


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, or not there
        folder.rmdir()
        folder.parent.rmdir()
