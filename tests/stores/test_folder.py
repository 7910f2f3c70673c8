"""OUT: its documents, and what happens where it cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import CorruptError, SettingsError
from tile_engine.stores.folder import Folder


def test_labels_and_layers_lie_in_their_own_groups(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    below = [
        path.relative_to(folder.slide("s")) for path in (folder.label("s", "clusters"), folder.layer("s", "embedding"))
    ]
    assert below == [Path("labels/clusters"), Path("layers/embedding")]


def test_a_document_comes_back_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read("run") == {}
    folder.write("run", {"a": [1, None]})
    assert folder.read("run") == {"a": [1, None]}
    (tmp_path / "run.json").write_text("")
    with pytest.raises(CorruptError):
        folder.read("run")


@pytest.mark.parametrize("text", ["[1, 2]", "3", "null", "notes"])
def test_a_file_that_is_no_document_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CorruptError, match=r"run\.json"):
        Folder(tmp_path).read("run")


def test_claiming_makes_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    Folder(tmp_path / "a" / "b").claim()
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/tile-engine"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(SettingsError, match="cannot be written") as caught:
        Folder(tmp_path / name).claim()
    assert caught.value.code == "E_OUT" and (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("image", ["../x", "/tmp/x", "a/b", "a\\b", "", ".", "..", "a\0", "-x"])
def test_an_id_that_is_none_gives_no_place(tmp_path: Path, image: str) -> None:
    """Whatever document it was read from."""
    folder = Folder(tmp_path)
    for place in (
        folder.slide,
        folder.map,
        lambda one: folder.map(one, "density"),
        lambda one: folder.label(one, "tissue"),
    ):
        with pytest.raises(CorruptError, match="no id of an image") as caught:
            place(image)
        assert repr(image) in caught.value.message
    for name in ("slides", "rejected", "quarantined"):
        folder.write(name, {"a-1": {}, image: {}})
        with pytest.raises(CorruptError, match="no id of an image"):
            folder.read(name)


def test_the_stores_of_a_run_lie_in_a_folder_of_ours(tmp_path: Path) -> None:
    assert Folder(tmp_path, "volumes").slide("a-1") == tmp_path / "volumes" / "a-1.ome.zarr"
    for images in ("../slides", "", "/slides"):
        with pytest.raises(CorruptError, match="no kind of images"):
            Folder(tmp_path, images)
