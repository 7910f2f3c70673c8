"""What `info` says of volumes: their size in millimetres, or why they cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.engine.maintenance.describe import describe
from tile_engine.errors import NoInputError


def test_a_volume_is_told_in_voxels_and_millimetres(tmp_path: Path) -> None:
    values = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.5, 4.0, 1.0])), tmp_path / "head.nii.gz")
    found = describe(tmp_path / "head.nii.gz")
    facts = dict(found.facts)
    assert (
        facts["voxels"] == "4 x 5 x 6 (x, y, z), 1 channels of int16" and facts["spacing"] == "1 x 1.5 x 4 mm (x, y, z)"
    )
    assert facts["stored"] == "4 x 5 x 6 (i, j, k; to R, A, S) of int16"
    assert not found.problems and len(found.levels) == 1


def test_a_volume_is_told_as_its_file_holds_it(tmp_path: Path) -> None:
    values = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    image = nibabel.Nifti1Image(values, np.array([[0, 0, 2, 0], [-2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1.0]]))
    image.header.set_slope_inter(0.5, -1)
    nibabel.save(image, tmp_path / "head.nii.gz")
    facts = dict(describe(tmp_path / "head.nii.gz").facts)
    assert facts["stored"] == "4 x 5 x 6 (i, j, k; to P, S, R) of uint8, values are 0.5 * stored + -1"
    assert facts["voxels"] == "6 x 4 x 5 (x, y, z), 1 channels of float32"


def test_a_volume_that_cannot_be_used_says_why(tmp_path: Path, data: Path) -> None:
    series = nibabel.Nifti1Image(np.random.default_rng(0).random((4, 4, 4, 3)), np.eye(4))
    nibabel.save(series, tmp_path / "series.nii")
    assert [code for code, _ in describe(tmp_path / "series.nii").problems] == ["E_TIME"]
    ((code, text),) = describe(data / "bad" / "nibabel" / "analyze.hdr").problems
    assert code == "E_NOT_A_VOLUME" and "Analyze" in text


def test_what_is_neither_is_told_as_no_slide_and_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    assert [code for code, _ in describe(tmp_path / "notes.txt").problems] == ["E_NOT_A_SLIDE"]
    with pytest.raises(NoInputError, match="holds no images"):
        describe(tmp_path)
    with pytest.raises(NoInputError, match=r"does not exist. Did you mean '.*notes.txt'"):
        describe(tmp_path / "notes")


def test_a_folder_and_a_list_have_a_line_for_each_image(mini: Any, tmp_path: Path) -> None:
    told = describe(mini.slides)
    assert dict(told.facts)["images"] == "3" and not told.problems
    assert [line.split(";")[0] for line in told.images][:1] == ["a.tif: 384 x 384, 3 channels of uint8"]
    (tmp_path / "b.svs").write_bytes(b"")
    (tmp_path / "list.csv").write_text(f"path,mpp\n{mini.slides / 'a.tif'},0.25\nb.svs,\nabsent.svs,\n")
    told = describe(tmp_path / "list.csv")
    assert "0.25 x 0.25 um" in told.images[0] and told.images[1] == "b.svs: cannot be used"
    assert [code for code, text in told.problems if "b.svs" in text] == ["E_EMPTY"]
    assert "0.25 x 0.25 um (x, y), from the list or --mpp" in told.images[0]
    one = describe(mini.slides / "a.tif", 0.25)
    assert one.levels[0] == "0: 384 x 384, the finest" and "um a pixel, and the 0.25 of --mpp" in one.notes[-1]
    assert [code for code, text in told.problems if "absent.svs" in text] == ["E_MISSING"]
