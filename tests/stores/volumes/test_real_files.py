"""Every real file, bad ones too, is opened or rejected with its reason; nothing else happens."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tile_engine.errors import SlideError
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume


def fate(path: Path, part: str = "") -> str:
    try:
        with open_volume(path, part) as volume:
            cells = volume.read(volume.frames[0].box)
            assert cells.shape == (volume.channels, *volume.frames[0].shape) and cells.dtype == volume.dtype
            assert np.isfinite(cells).all()
            return "opened"
    except SlideError as error:
        assert error.code in error.__reduce__()[1] and len(error.message) > 40
        return error.code


@pytest.mark.parametrize(
    ("folder", "seen", "ignored", "fates"),
    [
        ("bad/nibabel", 29, 3, {"opened": 4, "E_NOT_A_VOLUME": 8, "E_TIME": 4, "E_DICOM": 6, "E_MISSING_COMPANION": 2}),
        (
            "bad/dicom",
            41,
            0,
            {"opened": 1, "E_NOT_A_VOLUME": 16, "E_GEOMETRY": 4, "E_UNSUPPORTED_PIXELS": 6, "E_DICOM": 3},
        ),
        ("bad/msd-hippocampus-dirty", 3, 0, {"opened": 3}),
        ("mri/ct", 2, 0, {"opened": 2}),
        ("mri/templates", 2, 0, {"opened": 2}),
        ("mri/pyradiomics", 6, 0, {"opened": 6}),
        ("mri/ixi-hh-2mm", 87, 1, {"opened": 86}),
    ],
)
def test_all_files_of_a_folder_are_accounted_for(
    data: Path, folder: str, seen: int, ignored: int, fates: dict[str, int]
) -> None:
    cohort = find_volumes(data / folder)
    found = Counter(fate(entry.path, entry.part) for entry in cohort.entries)
    assert (len(cohort.ignored), dict(found)) == (ignored, fates)
    files = [path for path in (data / folder).rglob("*") if path.is_file()]
    assert len(files) == seen
    assert all(fate(path) for path in files)


@pytest.mark.parametrize(
    "name",
    ["bad/nibabel/anatomical.nii", "bad/nibabel/reoriented_anat_moved.nii", "bad/nibabel/resampled_anat_moved.nii",
     "bad/nibabel/standard.nii.gz", "mri/ct/totalseg_example_ct.nii.gz", "mri/templates/ants_ch2.nii.gz",
     "bad/msd-hippocampus-dirty/labels/hippocampus_281.nii.gz"],
)  # fmt: skip
def test_real_volumes_are_turned_and_scaled_as_nibabel_has_them(data: Path, name: str) -> None:
    peer = nibabel.as_closest_canonical(nibabel.load(data / name))
    with open_volume(data / name) as volume:
        found = volume.read(volume.frames[0].box)[0]
        np.testing.assert_allclose(found, np.nan_to_num(peer.get_fdata(), posinf=0, neginf=0).T, rtol=1e-6)
        np.testing.assert_allclose(volume.affine, nibabel.load(data / name).affine, atol=1e-6)
        np.testing.assert_allclose(volume.frames[0].spacing[::-1], 1e3 * np.array(peer.header.get_zooms()), rtol=1e-5)


@pytest.mark.parametrize(("name", "part"), [("example4d.nii.gz", "t=1"), ("functional.nii", "t=19")])
def test_points_in_time_of_real_series(data: Path, name: str, part: str) -> None:
    path = data / "bad" / "nibabel" / name
    peer = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata()
    with open_volume(path, part) as volume:
        np.testing.assert_allclose(volume.read(volume.frames[0].box)[0], peer[..., int(part[2:])].T, rtol=1e-6)


def test_a_real_header_whose_axes_are_sheared(data: Path) -> None:
    assert fate(data / "bad" / "nibabel" / "test.mgz", "t=1") == "E_AFFINE"


@pytest.mark.parametrize(
    "name",
    ["nibabel/standard.nii.gz", "nibabel/anatomical.nii", "nibabel/test.mgz", "nibabel/nifti1.hdr",
     "nibabel/example_nifti2.nii.gz", "dicom/pydicom-data/liver_nonbyte_aligned.dcm", "dicom/pydicom-data/emri_small.dcm",
     "../mri/pyradiomics/breast1_image.nrrd"],
)  # fmt: skip
def test_however_a_file_is_damaged_it_is_opened_or_rejected(data: Path, name: str, tmp_path: Path) -> None:
    """Bytes of the headers are overwritten, and the ends cut off, 60 times."""
    whole, draw = (data / "bad" / name).read_bytes(), np.random.default_rng(11)
    packed = whole.startswith(b"\x1f\x8b")
    whole = gzip.decompress(whole) if packed else whole
    path = tmp_path / Path(name).name
    fates, time = Counter[str](), "" if path.suffix == ".dcm" else "t=0"
    for _ in range(60):
        damaged = bytearray(whole[: int(draw.integers(1, len(whole))) if draw.random() < 0.1 else len(whole)])
        for at in draw.integers(0, min(600, len(damaged)), int(draw.integers(1, 6))):
            damaged[at] = draw.choice([0, 1, 127, 255, int(draw.integers(256))])
        path.write_bytes(gzip.compress(damaged, 1) if packed else damaged)
        fates.update(fate(entry.path, entry.part or time) for entry in find_volumes(path).entries)
    assert fates.total() == 60 and len(fates) > 1


def test_real_shapes_of_an_npz_file(data: Path) -> None:
    cohort = find_volumes(data / "mri" / "adrenalmnist3d_64.npz")
    assert Counter(entry.extra["split"] for entry in cohort.entries) == {"train": 1188, "val": 98, "test": 298}
    assert Counter(entry.extra["label"] for entry in cohort.entries if entry.extra["split"] == "test") == {
        "0": 229,
        "1": 69,
    }
    assert [fate(e.path, e.part) for e in cohort.entries[:3]] == ["opened"] * 3
