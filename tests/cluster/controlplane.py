"""etcd, kube-apiserver and kube-controller-manager: a Kubernetes without nodes.

Ready once the service account of the default namespace is there, in five to seven seconds.
Pods stay Pending, there is no scheduler and no kubelet: the test plays them, or `node` adds them.
Nothing is synced to disk. Trap: `running` ties the processes to the thread that started them
(so that none outlives a killed test run); start it from one that lasts, such as a fixture's.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.api import Api
from tests.cluster.commands import Command
from tests.cluster.credentials import Authority, write_key
from tests.cluster.processes import Processes, until

LOOPBACK = "127.0.0.1"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DOMAIN = "cluster.local"
ADMINISTRATORS = "system:masters"


@dataclass(frozen=True)
class Ports:
    etcd: int = 2379
    etcd_peers: int = 2380
    apiserver: int = 6443
    controllers: int = 10257


@dataclass(frozen=True)
class Place:
    """Where it runs. Without an `address` others reach it at, it is there for loopback only."""

    directory: Path
    ports: Ports
    address: str | None = None
    prefix: tuple[str, ...] = ()  # see Processes


@dataclass(frozen=True)
class ControlPlane:
    place: Place
    processes: Processes
    authority: Authority
    server: str
    kubeconfig: Path  # of an administrator
    api: Api


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Path]:
    """A control plane on free loopback ports while the block lasts; yields its kubeconfig."""
    prefix = ("setpriv", "--pdeathsig", "KILL")
    place = Place(directory, free_ports(), prefix=prefix)
    try:
        yield start(place).kubeconfig
    finally:
        Processes(directory).stop()


def start(place: Place) -> ControlPlane:
    plane = prepare(place)
    programs = binaries.kubernetes()
    plane.processes.start("etcd", [programs / "etcd", *etcd_flags(place)])
    apiserver = plane.processes.start("kube-apiserver", [programs / "kube-apiserver", *apiserver_flags(plane)])
    until(plane.api.ready, "the API", seconds=60, process=apiserver)
    controllers = plane.processes.start(
        "kube-controller-manager", [programs / "kube-controller-manager", *controller_flags(plane)]
    )
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    until(lambda: plane.api.get(account) is not None, account, seconds=60, process=controllers)
    return plane


def prepare(place: Place) -> ControlPlane:
    authority = Authority(place.directory / "pki")
    return ControlPlane(
        place,
        Processes(place.directory, prefix=place.prefix),
        authority,
        url(place),
        authority.kubeconfig("admin", "admin", group=ADMINISTRATORS, server=url(place)),
        administrator(place),
    )


def url(place: Place) -> str:
    return f"https://{place.address or LOOPBACK}:{place.ports.apiserver}"


def kubeconfig(directory: Path) -> Path:
    """Where an administrator's is, once there is a control plane."""
    return directory / "pki/admin.kubeconfig"


def administrator(place: Place) -> Api:
    keys = place.directory / "pki"
    certificate, key = keys / "admin.crt", keys / "admin.key"
    return Api(url(place), authority=keys / "ca.crt", certificate=certificate, key=key)


def free_ports() -> Ports:
    with contextlib.ExitStack() as held:  # all at once, so that no two are the same
        sockets = [held.enter_context(socket.socket()) for _ in range(4)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return Ports(*(one.getsockname()[1] for one in sockets))


def etcd_flags(place: Place) -> Command:
    clients = f"http://{LOOPBACK}:{place.ports.etcd}"
    peers = f"http://{LOOPBACK}:{place.ports.etcd_peers}"
    return [
        f"--data-dir={place.directory / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_flags(plane: ControlPlane) -> Command:
    place, authority = plane.place, plane.authority
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    serves = [*names, f"kubernetes.default.svc.{DOMAIN}", LOOPBACK, API_SERVICE]
    serves += [place.address] if place.address else []
    certificate, key = authority.issue("apiserver", "kube-apiserver", serves=serves)
    accounts = write_key(authority.directory / "accounts.key")
    reached = (
        ["--bind-address=0.0.0.0", f"--advertise-address={place.address}"]
        if place.address
        # A loopback address may not become an endpoint of the service `kubernetes`.
        else [f"--bind-address={LOOPBACK}", "--endpoint-reconciler-type=none"]
    )
    return [
        *reached,
        f"--secure-port={place.ports.apiserver}",
        f"--etcd-servers=http://{LOOPBACK}:{place.ports.etcd}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--cert-dir={authority.directory}",
        f"--client-ca-file={authority.certificate}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={accounts}",
        f"--service-account-signing-key-file={accounts}",
        f"--service-cluster-ip-range={SERVICES}",
        "--allow-privileged=true",
        *_aggregation_flags(authority),
        *_kubelet_flags(authority),
    ]


def controller_flags(plane: ControlPlane) -> Command:
    authority = plane.authority
    user = "system:kube-controller-manager"
    kubeconfig = authority.kubeconfig("controllers", user, server=plane.server)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={plane.place.ports.controllers}",
        f"--cert-dir={authority.directory}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        f"--service-account-private-key-file={authority.directory / 'accounts.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
    ]


def _aggregation_flags(authority: Authority) -> Command:
    certificate, key = authority.issue("front-proxy", "front-proxy")
    return [
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={certificate}",
        f"--proxy-client-key-file={key}",
    ]


def _kubelet_flags(authority: Authority) -> Command:
    certificate, key = authority.issue("kubelet-client", "kube-apiserver", group=ADMINISTRATORS)
    return [
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={certificate}",
        f"--kubelet-client-key={key}",
        "--kubelet-preferred-address-types=InternalIP",
    ]
