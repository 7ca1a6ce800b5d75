"""Cluster DNS: CoreDNS as a process of the node, behind a service without selector.

So no image is needed for it. It knows the names of the cluster only and refuses all others.
"""

import socket
from pathlib import Path

from tests.cluster import network
from tests.cluster.api import Api, Object
from tests.cluster.commands import Command
from tests.cluster.controlplane import API_SERVICE, DOMAIN

SERVICE = "10.96.0.10"
NAME = "kube-dns"
PORT = 53
_NAMESPACE = "kube-system"
_COREFILE = """
{domain}:{port} in-addr.arpa:{port} {{
    bind {address}
    errors
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
"""


def arguments(directory: Path, kubeconfig: Path) -> Command:
    corefile = directory / "Corefile"
    text = _COREFILE.format(domain=DOMAIN, port=PORT, address=network.NODE, kubeconfig=kubeconfig)
    corefile.write_text(text.lstrip())
    return ["-conf", corefile]


def publish(api: Api) -> None:
    api.apply(f"/api/v1/namespaces/{_NAMESPACE}/services/{NAME}", _service())
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{_NAMESPACE}/endpointslices"
    api.apply(f"{slices}/{NAME}", _endpoints())


def resolves() -> bool:
    """Ask the service for the address of the API, as a pod would."""
    name = f"kubernetes.default.svc.{DOMAIN}"
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = bytes([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])  # RFC 1035: one question
    question = labels + bytes([0, 0, 1, 0, 1])  # type A, class IN
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.5)
        try:
            asker.sendto(header + question, (SERVICE, PORT))
            return asker.recv(512).endswith(socket.inet_aton(API_SERVICE))
        except OSError:
            return False


def _service() -> Object:
    ports = [
        {"name": protocol.lower(), "protocol": protocol, "port": PORT, "targetPort": PORT}
        for protocol in ("UDP", "TCP")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"clusterIP": SERVICE, "ports": ports},
    }


def _endpoints() -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [network.NODE], "conditions": {"ready": True}}],
        "ports": [{"name": protocol.lower(), "protocol": protocol, "port": PORT} for protocol in ("UDP", "TCP")],
    }
