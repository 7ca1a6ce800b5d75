"""The Debian packages a node needs; installs the missing ones and leaves the others alone."""

import shutil

from tests.cluster import cache, commands, progress
from tests.cluster.errors import ClusterError

PACKAGES = (
    "buildah",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "debootstrap",
    "ethtool",
    "iproute2",
    "iptables",
    "nftables",
    "podman",
    "procps",
    "runc",
    "socat",
    "util-linux",
)
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def install() -> None:
    if shutil.which("apt-get") is None:
        raise ClusterError(f"no apt-get: take a Debian machine, for {', '.join(PACKAGES)}")
    missing = [package for package in PACKAGES if not _installed(package)]
    if not missing:
        return
    progress.step(f"installing {' '.join(missing)}")
    log = cache.DIRECTORY / "packages.log"
    commands.logged(["apt-get", "update"], log=log, environment=_QUIETLY)
    install = ["apt-get", "install", "--yes", "--no-install-recommends"]
    commands.logged([*install, *missing], log=log, environment=_QUIETLY)


def _installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return commands.succeeds(query) and commands.run(query) == "installed"
