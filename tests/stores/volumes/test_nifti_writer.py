"""NIfTI as nibabel and our own reader read it: values, types, affine, labels; the same bytes each time."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.stores.array import Written
from tile_engine.stores.partial_file import PartialFile, crc32_of
from tile_engine.stores.volumes.nifti_writer import NiftiVolume, header_of, write_nifti
from tile_engine.stores.volumes.reader import open_volume

AFFINE = ((2.0, 0.5, 0.0, 10.0), (-0.5, 2.0, 0.0, -20.0), (0.0, 0.0, 3.0, 5.0), (0.0, 0.0, 0.0, 1.0))


def write(path: Path, values: Any, *, labels: bool = False) -> Written:
    """Values (channel, z, y, x), plane by plane."""
    volume = NiftiVolume(values.shape[1:], len(values), values.dtype.name, AFFINE, labels)
    with PartialFile(path) as file:
        write_nifti(file, volume, (plane for channel in values for plane in channel))
        written = file.close()
        file.commit()
    return written


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64", "float16"]
)
def test_values_and_affine_come_back(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, (1, 4, 5, 6)).astype(dtype)
    write(tmp_path / "a.nii.gz", values)
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, values[0])
    assert image.get_data_dtype() == (np.float32 if dtype == "float16" else dtype)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)
    np.testing.assert_allclose(image.get_qform(), AFFINE, atol=1e-5)
    assert image.header.get_xyzt_units()[0] == "mm" and image.header.get_slope_inter() == (None, None)


def test_several_channels_are_a_fourth_axis(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype(np.float32)
    write(tmp_path / "a.nii.gz", values)
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "a.nii.gz").dataobj).T, values)


def test_labels_are_read_as_a_label_map(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 3, (1, 4, 5, 6)).astype(np.uint16)
    write(tmp_path / "a.nii.gz", values, labels=True)
    with open_volume(tmp_path / "a.nii.gz") as volume:
        assert volume.labels and np.array_equal(volume.read(volume.frames[0].box), values)
        np.testing.assert_allclose(volume.canonical_affine, AFFINE, atol=1e-6)


def test_equal_volumes_are_equal_bytes_and_the_header_holds_no_text(tmp_path: Path) -> None:
    values = np.ones((1, 4, 5, 6), np.uint8)
    written = [write(tmp_path / name, values) for name in ("a.nii.gz", "other.nii.gz")]
    data = [one.path.read_bytes() for one in written]
    assert data[0] == data[1] and data[0][3:8] == bytes(5)  # no name, no time
    assert [(one.size, one.crc32) for one in written] == [
        (len(d), crc32_of(one.path)) for d, one in zip(data, written, strict=True)
    ]
    header = nibabel.Nifti1Header(gzip.decompress(data[0])[:348])
    assert not any(header[name].item() for name in ("descrip", "db_name", "aux_file", "intent_name", "data_type"))


def test_a_side_that_nifti_1_cannot_state_makes_a_nifti_2() -> None:
    assert header_of(NiftiVolume((1, 1, 40_000), 1, "uint8", AFFINE, False))[:2] == (540).to_bytes(2, "little")


def test_what_was_not_committed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), PartialFile(tmp_path / "a.nii.gz") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
