"""The node on top of a control plane: containerd, kubelet, kube-proxy, scheduler and cluster DNS.

All run in the network namespace, next to the control plane. Configurations are JSON, which the
components read as well as YAML. The kubelet keeps its files in the cluster's folder and its pods
under a cgroup of our own, so that all can be found again; it never collects an image, because
none could be pulled again.
"""

import json
from pathlib import Path

from tests.cluster import binaries, containers, dns, network
from tests.cluster.api import Api, Object
from tests.cluster.commands import Command
from tests.cluster.controlplane import DOMAIN, LOOPBACK, ControlPlane
from tests.cluster.processes import Process, until

NAME = "webgarden"
CGROUP = "/webgarden"
READY = f"/api/v1/nodes/{NAME}"


def start(plane: ControlPlane) -> None:
    """Return once the node is Ready and names resolve."""
    make_cgroup()
    containers.start(plane.place.directory, plane.processes)
    containers.load(plane.place.directory, [containers.PAUSE])
    kubelet = _start(plane, "kubelet", _kubelet(plane))
    _start(plane, "kube-scheduler", _scheduler(plane))
    _start(plane, "kube-proxy", _proxy(plane))
    names = _start(plane, "coredns", dns.arguments(plane.place.directory, plane.kubeconfig))
    dns.publish(plane.api)
    until(lambda: ready(plane.api), "the node to be Ready", seconds=60, process=kubelet)
    until(dns.resolves, "names to resolve through its service", seconds=30, process=names)


def ready(api: Api) -> bool:
    conditions = (api.get(READY) or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def make_cgroup() -> None:
    for hierarchy in hierarchies():
        group = hierarchy / CGROUP.lstrip("/")
        group.mkdir(exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            available = (hierarchy / "cgroup.controllers").read_text().split()
            enabled = " ".join(f"+{controller}" for controller in available)
            (hierarchy / "cgroup.subtree_control").write_text(enabled)


def hierarchies() -> list[Path]:
    """The roots of cgroup version 2 or, one a controller, of version 1."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    mounted = [each for each in root.iterdir() if not each.is_symlink()]
    return [each for each in mounted if (each / "cgroup.procs").exists()]


def _start(plane: ControlPlane, name: str, arguments: Command) -> Process:
    return plane.processes.start(name, [binaries.kubernetes() / name, *arguments])


def _kubelet(plane: ControlPlane) -> Command:
    authority, directory = plane.authority, plane.place.directory
    user = f"system:node:{NAME}"
    kubeconfig = authority.kubeconfig("kubelet", user, group="system:nodes", server=plane.server)
    certificate, key = authority.issue("kubelet-server", user, serves=[NAME, network.NODE])
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "clusterDNS": [dns.SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": "",  # the host's resolver is out of reach for pods
        "containerRuntimeEndpoint": f"unix://{containers.socket(directory)}",
        "podLogsDir": str(directory / "pod-logs"),
        "volumePluginDir": str(directory / "volume-plugins"),
        "maxPods": 250,
        **_MACHINE,
    }
    return [
        f"--config={_written(directory / 'kubelet.json', configuration)}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={directory / 'kubelet'}",
        f"--hostname-override={NAME}",
        f"--node-ip={network.NODE}",
    ]


# What lets a kubelet run on any machine: cgroup version 1, swap, no right to lower an OOM score.
_MACHINE: Object = {
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": CGROUP,
    "enforceNodeAllocatable": [],
    "failCgroupV1": False,
    "failSwapOn": False,
    "featureGates": {"KubeletInUserNamespace": True},
    "makeIPTablesUtilChains": False,
    "oomScoreAdj": 0,
    "imageGCHighThresholdPercent": 100,
    "evictionHard": {
        "imagefs.available": "1%",
        "memory.available": "50Mi",
        "nodefs.available": "1%",
        "nodefs.inodesFree": "1%",
    },
}


def _scheduler(plane: ControlPlane) -> Command:
    user = "system:kube-scheduler"
    kubeconfig = plane.authority.kubeconfig("scheduler", user, server=plane.server)
    configuration = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 100, "burst": 200},
        "leaderElection": {"leaderElect": False},
    }
    return [
        f"--config={_written(plane.place.directory / 'scheduler.json', configuration)}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--cert-dir={plane.authority.directory}",
    ]


def _proxy(plane: ControlPlane) -> Command:
    kubeconfig = plane.authority.kubeconfig("proxy", "system:kube-proxy", server=plane.server)
    configuration = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": network.PODS,
        "conntrack": {"maxPerCore": 0},
        "hostnameOverride": NAME,
        "metricsBindAddress": f"{LOOPBACK}:10249",
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "100ms"},
    }
    return [f"--config={_written(plane.place.directory / 'proxy.json', configuration)}"]


def _written(path: Path, configuration: Object) -> Path:
    path.write_text(json.dumps(configuration, indent=2))
    return path
