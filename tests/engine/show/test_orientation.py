"""Which side is which: the letters on planes are those of the patient, however the file's axes run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.engine.pipeline.record import ImageRecord
from tile_engine.engine.show.orientation import AXIAL, SEEN, SIDES
from tile_engine.engine.show.triptych import triptych
from tile_engine.engine.steps.volumes.planes import axial, seen, unsided
from tile_engine.stores.volumes.reader import open_volume


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1, -1)])
def test_what_lies_at_the_patients_right_is_drawn_beside_the_letter_r(tmp_path: Path, signs: tuple[int, ...]) -> None:
    world = np.full((20, 22, 24), 10, np.int16)  # Right, Anterior, Superior
    world[15:18, 10:12, 11:13] = 1000
    world[9:11, 17:20, 11:13] = 500
    cells = world[tuple(slice(None, None, sign) for sign in signs)]
    nibabel.save(nibabel.Nifti1Image(cells, np.diag([*(2.0 * sign for sign in signs), 1.0])), tmp_path / "a.nii.gz")
    with open_volume(tmp_path / "a.nii.gz") as volume:
        frame = volume.frames[0]
        values = (volume.read(frame.box)[0] / 4).astype(np.uint8)
    centre = [o + s * n / 2 for o, s, n in zip(frame.origin, frame.spacing, frame.shape, strict=True)]
    picture, _ = triptych(values, frame, np.zeros(frame.shape, np.uint8), frame, centre=centre)
    axial = picture.rgb[:22, :20, 0]
    right, front = np.argwhere(axial > 200).mean(0), np.argwhere((axial > 100) & (axial < 200)).mean(0)
    assert right[1] > 13, "the patient's right is at the right"
    assert front[0] < 8, "anterior is up"
    assert [mark[0] for mark in picture.letters] == [letter for pair in SIDES for letter in pair]
    assert picture.fitted(900).letters == picture.letters


@pytest.mark.parametrize("states", [True, False])
def test_where_no_file_states_it_no_letter_and_no_sentence_says_which_side_is_which(
    states: bool, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (6, 7, 8), np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if states else None), tmp_path / "a.nii.gz")
    with open_volume(tmp_path / "a.nii.gz") as volume:
        notes, shape = tuple(volume.notes), volume.frames[0].shape
    record = ImageRecord(
        id="a", name="a.nii.gz", path="", fingerprint="", mpp=None, subject="", site="", columns={}, reader="nifti",
        native_spacing=1.0, native_shape=shape, channels=1, dtype="uint8", background=0, shape=shape, spacing=(1.0,) * 3,
        origin=(0.0,) * 3, notes=notes,
    )  # fmt: skip
    assert bool(record.assumed_orientation) != states
    job: Any = SimpleNamespace(slides={"a": record})
    assert unsided(job) == ([] if states else ["a.nii.gz"])
    assert (seen(job) == SEEN) == states == (axial(job) == AXIAL)
    other = SimpleNamespace(name="b", assumed_orientation=())
    both: Any = SimpleNamespace(slides={"a": record, "b": other})
    assert seen(both).startswith(SEEN) and ("of a.nii.gz: left and right may be exchanged" in seen(both)) != states
    picture, _ = triptych(values.T, record.frame, values.T, record.frame, centre=(1, 1, 1), sided=states)
    assert bool(picture.letters) == states
