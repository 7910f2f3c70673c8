"""Volumes under a prefix of an object store are found and read as those on a disk are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from tile_engine.stores.files import write_whole
from tile_engine.stores.remote import to_path
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume

CUBE = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


def test_a_prefix_holds_what_a_folder_holds(
    lab: Any, series: Callable[..., Path], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("TILE_ENGINE_CACHE_DIR", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    nibabel.save(nibabel.Nifti1Image(CUBE, np.eye(4)), here / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Pair(CUBE, np.eye(4)), here / "b.hdr")
    slices = np.random.default_rng(0).integers(0, 99, (4, 5, 6))
    series(slices, [[0, 0, k] for k in range(4)]).rename(here / "ct")
    np.savez(here / "c.npz", train_images=np.stack([CUBE, CUBE + 1]), train_labels=np.array([[4], [5]]))
    (here / "notes.txt").write_text("words")
    for file in here.rglob("*"):
        if file.is_file():
            write_whole(to_path(lab.url) / "in" / file.relative_to(here).as_posix(), file.read_bytes())
    there, local = find_volumes(f"{lab.url}/in"), find_volumes(here)
    assert [(e.name, e.id, e.part, e.extra) for e in there.entries] == [
        (e.name, e.id, e.part, e.extra) for e in local.entries
    ]
    assert len(there.entries) == 5 and dict(there.ignored)["notes.txt"] == "is not named like a volume"
    for one, other in zip(there.entries, local.entries, strict=True):
        with open_volume(one.path, one.part) as a, open_volume(other.path, other.part) as b:
            np.testing.assert_array_equal(a.read(a.frames[0].box), b.read(b.frames[0].box))
