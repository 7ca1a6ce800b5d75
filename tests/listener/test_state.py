"""What is left on disk: durable, whole, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.listener.filesystem import empty, fill, mounted

from webgarden_link import Application, Binding, Pool, Site, Table, Worker
from webgarden_listener import state
from webgarden_listener.state import FORMAT, StateError

TABLE = Table(
    listeners=2,
    pools=(Pool(key="shop/api", version=3, workers=(Worker(name="w1", address="10.0.0.5", port=8080),)),),
    sites=(
        Site(
            key="shop/site",
            version=4,
            bindings=(Binding(port=80, host="shop.example"),),
            applications=(Application(path="/", pool="shop/api"),),
        ),
    ),
)
OTHER = TABLE.model_copy(update={"listeners": 3})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_what_was_saved_is_loaded(path: Path) -> None:
    state.save(path, TABLE)
    assert state.load(path) == TABLE
    state.save(path, OTHER)
    assert state.load(path) == OTHER
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_not_there_is_nothing_known(path: Path) -> None:
    assert state.load(path) is None


def test_a_cut_file_is_nothing_known_wherever_it_was_cut(path: Path) -> None:
    state.save(path, TABLE)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert state.load(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"\xff\xfe not text",
        b"[]",
        b"null",
        b'{"format": 2}',
        b'{"format": "x", "table": {}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_nothing_known_and_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert state.load(path) is None
    state.save(path, TABLE)
    assert state.load(path) == TABLE


def test_a_file_of_another_format_is_nothing_known(path: Path) -> None:
    path.write_text(state.Saved(format=FORMAT + 1, table=TABLE).model_dump_json())
    assert state.load(path) is None


def test_a_folder_in_its_place_is_nothing_known_and_an_error_to_write(path: Path) -> None:
    path.mkdir()
    assert state.load(path) is None
    with pytest.raises(StateError, match=str(path)):
        state.save(path, TABLE)


def test_what_has_not_changed_is_not_written(path: Path) -> None:
    state.save(path, TABLE)
    before = path.stat()
    state.save(path, TABLE)
    assert path.stat().st_ino == before.st_ino
    state.save(path, OTHER)
    assert path.stat().st_ino != before.st_ino


def test_content_and_name_are_on_the_disk_before_it_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(number: int) -> None:
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{number}')).name}")
        real_sync(number)

    def replace(old: Path, new: Path) -> None:
        done.append(f"replace {new.name}")
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    state.save(path, TABLE)
    assert done == [f"sync {path.name}.new", f"replace {path.name}", f"sync {path.parent.name}"]


def test_a_full_disk_is_an_error_that_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        path = disk / "state.json"
        state.save(path, TABLE)
        fill(disk)
        with pytest.raises(StateError, match="No space left"):
            state.save(path, OTHER)
        assert state.load(path) == TABLE
        state.save(path, TABLE)  # which is there already
        empty(disk)
        state.save(path, OTHER)
        assert state.load(path) == OTHER


def test_a_disk_that_is_full_halfway_gives_back_what_it_took(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        path = disk / "state.json"
        with pytest.raises(StateError):
            state.replace(path, "x" * 1_000_000)
        assert list(disk.iterdir()) == []


def test_a_half_file_of_a_process_that_was_killed_is_no_obstacle(path: Path) -> None:
    path.with_name(path.name + ".new").write_bytes(b"ha")
    state.save(path, TABLE)
    assert state.load(path) == TABLE
