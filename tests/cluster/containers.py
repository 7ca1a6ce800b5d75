"""containerd with everything it keeps in the cluster's own folder, and the pods' network.

Its images come from the local storage of podman and buildah; there is no registry.
What is left of a containerd that was killed is found by what it is, not by records: a shim by our
socket in its command line, a container by a root file system that is an overlay in our folder.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster import commands, network
from tests.cluster.processes import Process, Processes, start_time, until

PLUGINS = "/usr/lib/cni"
STATE = "containers"
PAUSE = "localhost/webgarden-pause:1"
_CONFIG = """
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{network}"

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{runc}"
"""


def socket(directory: Path) -> Path:
    return directory / "containerd.sock"


def start(directory: Path, processes: Processes) -> None:
    networks = directory / "cni"
    networks.mkdir()
    (networks / "webgarden.conflist").write_text(json.dumps(_network(directory / "addresses")))
    config = directory / "containerd.toml"
    config.write_text(
        _CONFIG.format(
            root=directory / "images",
            state=directory / STATE,
            runc=directory / "runc",
            socket=socket(directory),
            pause=PAUSE,
            plugins=PLUGINS,
            network=networks,
        ).lstrip()
    )
    containerd = processes.start("containerd", ["containerd", "--config", config])
    answers = [*_ctr(directory), "version"]
    until(lambda: commands.succeeds(answers), "its socket", seconds=30, process=containerd)


def load(directory: Path, images: Sequence[str]) -> None:
    """From the local storage of podman and buildah; layers that images share are sent once."""
    save = ["podman", "save", "--quiet", "--multi-image-archive", *images]
    commands.piped(save, [*_ctr(directory), "--namespace=k8s.io", "images", "import", "-"])


def kill_leftovers(directory: Path) -> None:
    """Shims first: one that sees its container end would start another program to clean up."""
    for kind in (_is_shim, _is_container):
        left = [process for process in _processes() if kind(process.pid, directory)]
        for process in left:
            process.kill()
        for process in left:
            until(process.reap, f"{process.name} (pid {process.pid}) to end", seconds=10)


def _network(addresses: Path) -> dict[str, object]:
    ranges = {
        "type": "host-local",
        "dataDir": str(addresses),
        "ranges": [[{"subnet": network.PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": ranges,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": network.NAME, "plugins": [bridge, portmap]}


def _ctr(directory: Path) -> list[str]:
    return ["ctr", f"--address={socket(directory)}"]


def _processes() -> Iterator[Process]:
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if (started := start_time(pid)) is not None:
            yield Process("leftover", pid, started, "")


def _is_shim(pid: int, directory: Path) -> bool:
    words = _read(pid, "cmdline").split("\0")
    return words[0].endswith("containerd-shim-runc-v2") and str(socket(directory)) in words


def _is_container(pid: int, directory: Path) -> bool:
    # mountinfo(5): the fifth field is where, the last are the options, upperdir among them.
    mounts = (line.split() for line in _read(pid, "mountinfo").splitlines())
    upper = f"upperdir={directory}/"
    return any(mount[4] == "/" and upper in mount[-1] for mount in mounts)


def _read(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    return ""
