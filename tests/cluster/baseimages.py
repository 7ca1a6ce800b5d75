"""Base images where no registry can be reached: made from Debian packages, kept in local storage.

They stand in for the public python:3.13-slim and haproxy:3.4 images: `python` and `pip` are on the
path and pip may install outside of a virtual environment. Certificate authorities the host trusts
besides Debian's are trusted inside, too. An image carries a digest of how it is made, and is made
again only when that changed.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.cluster import binaries, cache, commands, containers, progress

PYTHON = "localhost/webgarden-base-python:trixie"
HAPROXY = "localhost/webgarden-base-haproxy:3.4"
AUTHORITIES = Path("usr/local/share/ca-certificates")
_LABEL = "dev.webgarden.recipe"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
_FIX_PYTHON = f"""set -e
update-ca-certificates
ln -s /usr/bin/python3 /usr/local/bin/python
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
printf '[global]\\ncert = {_BUNDLE}\\n' > /etc/pip.conf
rm -rf /var/cache/apt/* /var/lib/apt/lists/*
"""
# 3.4.7 is what we are written for: it is in experimental, what it needs is in forky, OpenSSL as it
# was built with, too. They come from where the image's other packages come from, and at priority 100
# they serve only what is asked of them by name.
# Their indexes expire after a week, and mirrors lag behind by more: signed they must be, fresh they
# need not, for an image that serves tests alone.
_HAPROXY = f"""FROM {PYTHON}
RUN apt-get update \\
 && mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1) \\
 && for suite in forky experimental; do \\
      echo "deb [check-valid-until=no] $mirror $suite main" \\
        >> /etc/apt/sources.list.d/newer.list; \\
      printf 'Package: *\\nPin: release %s\\nPin-Priority: 100\\n\\n' $suite \\
        >> /etc/apt/preferences.d/newer; \\
    done \\
 && apt-get update \\
 && DEBIAN_FRONTEND=noninteractive \\
    apt-get install --yes --no-install-recommends -t forky haproxy/experimental libssl3t64 \\
 && dpkg --compare-versions "$(dpkg-query -W -f '${{Version}}' haproxy)" ge 3.4.7 \\
 && rm -rf /var/cache/apt/* /var/lib/apt/lists/*
"""
_PAUSE = """FROM scratch
COPY pause /pause
USER 65535:65535
ENTRYPOINT ["/pause"]
"""


def make() -> None:
    with cache.locked("images"):
        _make(containers.PAUSE, _PAUSE, binaries.folder().name)
        authorities = "".join(path.read_text() for path in _host_authorities())
        python = _PACKAGES + _FIX_PYTHON + authorities
        if not _made(PYTHON, python):
            progress.step(f"making {PYTHON} (a minute, once)")
            _make_python(_digest(python))
        _make(HAPROXY, _HAPROXY, python)


def remove() -> None:
    """And all that was built on them, which carries their label."""
    made = ["podman", "images", "--all", "--quiet", f"--filter=label={_LABEL}"]
    if images := set(commands.run(made).split()):
        commands.run(["podman", "rmi", "--force", *images])


def _make(image: str, dockerfile: str, below: str) -> None:
    """Build in the folder of the programs; `below` is what else the result depends on."""
    recipe = dockerfile + below
    if _made(image, recipe):
        return
    progress.step(f"making {image} (once)")
    build = ["buildah", "bud", "--file=-", f"--label={_LABEL}={_digest(recipe)}", f"--tag={image}"]
    commands.logged(
        [*build, binaries.kubernetes()],
        log=_log(),
        environment={"BUILDAH_ISOLATION": "chroot"},
        stdin=dockerfile,
    )


def _make_python(digest: str) -> None:
    root = Path(tempfile.mkdtemp(prefix="debian-", dir=cache.DIRECTORY))
    try:
        debootstrap = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
        commands.logged([*debootstrap, "trixie", root], log=_log())
        for authority in _host_authorities():
            shutil.copy(authority, root / AUTHORITIES)
        commands.logged(["chroot", root, "sh"], log=_log(), stdin=_FIX_PYTHON)
        change = [f"--change=LABEL={_LABEL}={digest}", '--change=CMD=["python"]']
        commands.piped(
            ["tar", "--numeric-owner", "-C", root, "-c", "."],
            ["podman", "import", "--quiet", *change, "-", PYTHON],
        )
    finally:
        shutil.rmtree(root)


def _host_authorities() -> list[Path]:
    return sorted((Path("/") / AUTHORITIES).glob("*.crt"))


def _made(image: str, recipe: str) -> bool:
    inspect = ["podman", "image", "inspect", f'--format={{{{index .Labels "{_LABEL}"}}}}', image]
    return commands.succeeds(inspect) and commands.run(inspect).strip() == _digest(recipe)


def _digest(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()


def _log() -> Path:
    return cache.DIRECTORY / "images.log"
