"""A HAProxy for the tests that is new enough, on any Debian-like machine and without Docker.

`haproxy()` returns a path to run: the `haproxy` of the PATH when it is new enough, else Debian's own package of a newer
release, fetched once with its libraries into `~/.cache/webgarden/haproxy/<version>/`. Nothing is installed: apt works on
lists of its own, and a wrapper starts the program through the loader and the libraries that came with it.

Nothing is skipped when there is no HAProxy: `NoHAProxy` says what would cure it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

OLDEST = (3, 4, 7)
SUITES = ("forky", "experimental")
"""Of Debian: the last has HAProxy, the others what it needs."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "webgarden" / "haproxy"
LIBRARIES = re.compile(r"^(haproxy|lib(?!pam|sem|sep|aud|gconv|debconf|db5|acl|bsd|md0|c-gconv)[^_]*|zlib1g)_")
CURE = f"Install HAProxy >= {'.'.join(map(str, OLDEST))}, or let apt-get reach Debian's {SUITES[-1]}."


class NoHAProxy(Exception):
    """There is none and it cannot be fetched."""


@functools.cache
def haproxy() -> Path:
    """The path of a HAProxy that is new enough."""
    own = shutil.which("haproxy")
    if own and version(Path(own)) >= OLDEST:
        return Path(own)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cached() or fetch()


def version(binary: Path) -> tuple[int, ...]:
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()


def cached() -> Path | None:
    fit = (wrapper for wrapper in CACHE.glob("*/haproxy") if version(wrapper) >= OLDEST)
    return max(fit, key=version, default=None)


def fetch() -> Path:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            packages = download(Path(scratch))
            return unpack(packages, CACHE / packages["haproxy"].name.split("_")[1])
        except (OSError, KeyError, subprocess.CalledProcessError) as error:
            raise NoHAProxy(f"{CURE} ({error}: {getattr(error, 'stderr', '')})") from error


def download(scratch: Path) -> dict[str, Path]:
    """The packages of HAProxy and its libraries, by name, from lists that belong to nobody else."""
    for folder in ("lists/partial", "cache/archives/partial", "packages"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "sources").write_text(
        "".join(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n" for suite in SUITES)
    )
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={scratch}/sources", "-o", "Dir::Etc::sourceparts=/dev/null"]
    apt += ["-o", f"Dir::State::lists={scratch}/lists", "-o", f"Dir::State::status={scratch}/status"]
    apt += ["-o", f"Dir::Cache={scratch}/cache", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]
    apt += ["-o", "Acquire::Check-Valid-Until=false", "-t", SUITES[-1]]  # mirrors lag behind, and signed they are
    call([*apt, "update"], scratch)
    listed = call([*apt, "install", "--print-uris", "-y", "--no-install-recommends", "haproxy"], scratch)
    files = (line.split()[1] for line in listed.splitlines() if line.startswith("'"))
    names = [file.split("_")[0] for file in files if LIBRARIES.match(file)]
    call([*apt, "download", *names], scratch / "packages")
    return {package.name.split("_")[0]: package for package in (scratch / "packages").glob("*.deb")}


def mirror() -> str:
    """Where this machine's own packages come from."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"]
    return call(targets, Path("/")).split()[0]


def call(command: list[str], where: Path) -> str:
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=True).stdout


def unpack(packages: dict[str, Path], home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    for package in packages.values():
        call(["dpkg-deb", "-x", str(package), str(home / "root")], Path("/"))
    root = home / "root"
    folders = sorted({str(library.parent) for library in root.rglob("*.so*")})
    loader = next(root.rglob("ld-linux*.so*"))
    wrapper = home / "haproxy"
    wrapper.write_text(f'#!/bin/sh\nexec {loader} --library-path {":".join(folders)} {root}/usr/sbin/haproxy "$@"\n')
    wrapper.chmod(0o755)
    if version(wrapper) < OLDEST:
        raise OSError(f"{wrapper} does not run, or is too old")
    return wrapper


if __name__ == "__main__":
    print(haproxy())
