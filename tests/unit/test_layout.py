"""How the repository is laid out, where a mistake would be found late or far from its cause."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("operator/webgarden", "listener_image/webgarden_listener", "listener_image/webgarden_link")


def _kept() -> list[Path]:
    """Files of the repository, new ones included, ignored ones not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).is_file()]


def test_the_folder_operator_does_not_shadow_the_standard_librarys_module() -> None:
    assert not (ROOT / "operator/__init__.py").exists()
    assert not [path for path in _kept() if path.parts[0] == "operator" and path.name.startswith(("test_", "conftest"))]


def test_every_module_says_what_it_is_for() -> None:
    modules = [path for path in _kept() if path.suffix == ".py" and path.parts[0] != "tests"]
    silent = [str(p) for p in modules if (text := (ROOT / p).read_text().strip()) and not text.startswith('"""')]
    assert modules and not silent


def test_the_typed_packages_say_that_they_are() -> None:
    assert [
        name for name in (*PACKAGES, "worker_image/webgarden_worker") if not (ROOT / name / "py.typed").exists()
    ] == []


def test_the_lock_names_no_index_and_pins_everything() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if line.startswith("-") or "://" in line]
    assert [line for line in lines if line and not line.startswith("#") and "==" not in line] == []


def test_nothing_large_is_committed() -> None:
    assert {str(path): size for path in _kept() if (size := (ROOT / path).stat().st_size) > 500_000} == {}
