"""A sweep removes what a killed writer of ours left, at the places where we write, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.errors import SettingsError
from tile_engine.stores.files import partial_path, target_of
from tile_engine.stores.sweep import leftovers, sweep

OURS = (
    "run.json",
    "slides.json",
    "quarantined.json",
    "lock.json",
    "report.html",
    "shares.csv",
    "preflight",
    "doctor",
    "writable",
    "slides/a-1.ome.zarr/zarr.json",
    "slides/a-1.ome.zarr/0/c/0/0/0",
    "slides/a-1.ome.zarr/labels/tissue/0/c/1/2",
    "volumes/a-1.ome.zarr/0/c/0/0/0/0",
    "samples.zarr/patches/c/0/0/0/0",
    "samples.zarr/codes/onga-fold-1/c/0/0",
    "models/autoencoder.training.safetensors",
    "models/validity.json",
    "maps/a-1.png",
    "maps/a-1.geojson",
    "maps/density/a-1.png",
    "receipts/progress.json",
    "receipts/pixels/a-1/0-0.json",
    "tables/tiles.zarr/obs/slide/codes/c/0",
    "tables/volumes.zarr/obs/any column/c/0",
    "index/vectors.npy",
    "index/index.json",
    "index/added.npz",
)
NOT_OURS = (
    "notes",
    "mine/run.json",
    "mine/slides/a-1.ome.zarr/zarr.json",
    "slides/notes",
    "slides/mine/zarr.json",
    "slides/a-1.ome.zarr/notes",
    "slides/a-1.ome.zarr/labels/cells/0/c/0/0",
    "slides/preflight",
    "models/notes.txt",
    "maps/notes.txt",
    "tables/notes/zarr.json",
    "index/notes.npy",
    "receipts/notes",
)


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"1")
    return path


def test_what_a_killed_writer_left_goes_and_nothing_else(tmp_path: Path) -> None:
    gone = [written(partial_path(tmp_path / name)) for name in OURS]
    keep = [written(partial_path(tmp_path / name)) for name in NOT_OURS]
    keep += [written(tmp_path / name) for name in OURS if "/" in name]
    keep += [written(path.with_name(f".{target_of(path.name)}.1234.partial")) for path in gone]
    keep += [written(path.with_name(f"{target_of(path.name)}.partial")) for path in gone]
    assert leftovers(tmp_path) == len(OURS) and all(path.exists() for path in gone)
    assert sweep(tmp_path) == len(OURS)
    assert not [path for path in gone if path.exists()] and not [path for path in keep if not path.exists()]


@pytest.mark.parametrize(
    "link",
    ["slides", "models", "receipts/pixels", "slides/a-1.ome.zarr", "slides/a-1.ome.zarr/0/c", "maps/density", "index"],
)
def test_a_link_in_place_of_a_folder_of_ours_is_refused(tmp_path: Path, link: str) -> None:
    """Else a run would write and remove where it leads."""
    path = tmp_path / "out" / link
    path.parent.mkdir(parents=True)
    elsewhere = [written(partial_path(tmp_path / "elsewhere" / name)) for name in (*OURS, "0", "a.json", "zarr.json")]
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="symbolic link") as caught:
        sweep(tmp_path / "out")
    assert caught.value.code == "E_FOREIGN" and str(path) in caught.value.message
    assert leftovers(tmp_path / "out") == 0 and all(one.exists() for one in elsewhere)


def test_other_links_stay_and_are_not_followed(tmp_path: Path) -> None:
    elsewhere = [written(partial_path(tmp_path / "elsewhere" / name)) for name in OURS]
    for name in ("mine", "slides/mine", "models/mine"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")
    left = partial_path(tmp_path / "out" / "models" / "head.json")
    left.symlink_to(elsewhere[0])
    assert sweep(tmp_path / "out") == 1 and all(one.exists() for one in elsewhere) and not left.is_symlink()
    assert (tmp_path / "out" / "slides" / "mine").is_symlink()
