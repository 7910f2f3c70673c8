"""The files of a folder that is an image: none leads outside, none is a pipe, and a change of one is noticed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tile_engine.errors import SlideError
from tile_engine.stores import contents
from tile_engine.stores.contents import check_inside, state_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "a.zarr"
    for chunk in ("0/c/0/0", "0/c/0/1", "0/c/1/0"):
        (root / chunk).parent.mkdir(parents=True, exist_ok=True)
        (root / chunk).write_bytes(b"pixels")
    (root / "zarr.json").write_text("{}")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def test_links_that_stay_inside_are_fine(store: Path) -> None:
    (store / "0/c/1/1").symlink_to("../0/0")
    (store / "0/c/1/2").symlink_to("nothing")
    check_inside(store)
    (store.parent / "b.zarr").symlink_to(store)
    check_inside(store.parent / "b.zarr")


@pytest.mark.parametrize(
    "plant",
    [
        lambda chunk: chunk.symlink_to(chunk.parents[4] / "secret"),
        lambda chunk: chunk.symlink_to("../../../../secret"),
        lambda chunk: chunk.symlink_to("/dev/zero"),
        os.mkfifo,
    ],
)
def test_what_leads_out_or_is_no_file_is_refused_by_name(store: Path, plant: Callable[[Path], None]) -> None:
    plant(store / "0/c/1/1")
    with pytest.raises(SlideError, match="0/c/1/1") as caught:
        check_inside(store)
    assert caught.value.code == "E_PATH"


def test_a_socket_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("door")
        with pytest.raises(SlideError, match="door in it is a pipe, a socket"):
            check_inside(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "0/c/0/1").write_bytes(b"others"),
        lambda root: (root / "0/c/0/1").write_bytes(b"longer than before"),
        lambda root: (root / "0/c/0/1").unlink(),
        lambda root: (root / "0/c/0/2").write_bytes(b"pixels"),
        lambda root: (root / "0/c/0/1").rename(root / "0/c/1/1"),
    ],
)
def test_a_change_of_any_chunk_changes_the_state(store: Path, change: Callable[[Path], object]) -> None:
    for path in store.rglob("*"):
        os.utime(path, (1, 1))
    before = state_of(store)
    assert state_of(store) == before
    change(store)
    assert state_of(store) != before


def test_beyond_a_number_of_files_their_folders_tell_of_new_and_removed_ones(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "STATED_FILES", 0)
    for path in (*store.rglob("*"), store):
        os.utime(path, (1, 1))
    before = state_of(store)
    assert state_of(store) == before
    (store / "0/c/1/0.new").write_bytes(b"others")
    (store / "0/c/1/0.new").rename(store / "0/c/1/0")
    assert state_of(store) != before
