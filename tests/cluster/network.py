"""A network namespace of its own for the node, and a veth pair with routes between it and the host.

So the host reaches the apiserver, every pod and every service by address, and its firewall and
interfaces stay as they are. Pods reach the host's end of the pair and nothing beyond it.
Removing the namespace removes all: the pair, the pods' bridge, the rules of kube-proxy.
"""

from pathlib import Path

from tests.cluster import commands, controlplane
from tests.cluster.commands import run

NAME = "webgarden"
PATH = Path("/run/netns") / NAME
HOST_END = "webgarden-host"
NODE_END = "webgarden-node"
HOST = "10.245.0.1"
NODE = "10.245.0.2"
PODS = "10.244.0.0/16"

INSIDE = ("nsenter", f"--net={PATH}")  # and not `ip netns exec`, which hides the cgroup mounts


def create() -> None:
    run(["ip", "netns", "add", NAME])
    run(["ip", "link", "add", HOST_END, "type", "veth", "peer", NODE_END, "netns", NAME])
    run(["ip", "address", "add", f"{HOST}/30", "dev", HOST_END])
    run(["ip", "link", "set", HOST_END, "up"])
    _inside("ip", "address", "add", f"{NODE}/30", "dev", NODE_END)
    _inside("ip", "link", "set", "lo", "up")
    _inside("ip", "link", "set", NODE_END, "up")
    _inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    for destination in (PODS, controlplane.SERVICES):
        run(["ip", "route", "add", destination, "via", NODE, "dev", HOST_END])
    # A packet needs a route before kube-proxy can give it another destination; none takes this one.
    _inside("ip", "route", "add", controlplane.SERVICES, "via", HOST, "dev", NODE_END)


def remove() -> None:
    # The routes go with the host's end, which goes with the node's; both are gone before the
    # namespace is, because that may outlast its name for a moment.
    if (Path("/sys/class/net") / HOST_END).exists():
        run(["ip", "link", "delete", HOST_END])
    if PATH.exists():
        run(["ip", "netns", "delete", NAME])
    folder = PATH.parent
    if folder.exists() and not any(folder.iterdir()):  # nobody else's: `ip` mounted it for us
        commands.succeeds(["umount", folder])
        folder.rmdir()


def _inside(*command: str) -> None:
    run([*INSIDE, *command])
