"""What a node leaves on a machine, and its removal: the one way down and the way up after a crash.

Everything is found anew by what it is, so that it does not matter how the cluster ended. The order
counts: what could start or mount something ends before what it started or mounted is removed.
"""

import contextlib
import shutil
from pathlib import Path

from tests.cluster import commands, containers, network, node
from tests.cluster.processes import Processes, until

POD_LINKS = Path("/var/log/containers")  # the kubelet's, and not configurable
CNI_RESULTS = Path("/var/lib/cni/results")  # containerd's, likewise


def remove(directory: Path) -> None:
    Processes(directory).stop()
    containers.kill_leftovers(directory)
    until(lambda: _unmounted(directory), f"the mounts below {directory} to go", seconds=20)
    network.remove()
    for hierarchy in node.hierarchies():
        _remove_cgroup(hierarchy / node.CGROUP.lstrip("/"))
    _remove_links(directory)
    for result in CNI_RESULTS.glob(f"{network.NAME}-*"):
        result.unlink()
    for folder in (CNI_RESULTS, CNI_RESULTS.parent, POD_LINKS):
        with contextlib.suppress(OSError):  # somebody else's files are in it, or it is not there
            folder.rmdir()
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


def _remove_links(directory: Path) -> None:
    for link in POD_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(directory):
            link.unlink()
