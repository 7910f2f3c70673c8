"""What odd but real headers say is read, refused with its reason, or said: nothing is guessed without a word."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest

from tile_engine.errors import SlideError
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume

Array = np.ndarray[Any, Any]
Nifti = Callable[..., Path]


def body(dtype: str = "int16") -> Array:
    return np.random.default_rng(5).integers(0, 120, (9, 8, 7)).astype(dtype)


def refused(path: Path, part: str = "") -> tuple[str, str]:
    with pytest.raises(SlideError) as failure:
        open_volume(path, part)
    return failure.value.code, failure.value.message


@pytest.mark.parametrize("qform", [0, 1])
def test_voxels_of_size_0_are_refused_where_the_affine_needs_them(nifti: Nifti, qform: int) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[252:256] = np.array([qform, 0], np.int16).tobytes()  # no sform
    data[84:88] = np.float32(0).tobytes()
    path.write_bytes(data)
    code, message = refused(path)
    assert code == "E_AFFINE" and "2 x 0 x 2" in message
    data[254:256] = np.int16(1).tobytes()  # with an sform, pixdim does not count
    path.write_bytes(data)
    with open_volume(path) as volume:
        assert volume.frames[0].spacing == (2000.0,) * 3


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_numbers_that_are_not_finite_are_said_packed_or_not(nifti: Nifti, name: str) -> None:
    values = body("float32")
    values[0, 0, 0], values[8, 7, 6] = np.inf, np.nan
    with open_volume(nifti(values, name=name)) as volume:
        assert any(note.startswith("2 cells") for note in volume.notes)


@pytest.mark.parametrize(("kind", "place", "begins"), [("Nifti1Image", 108, 352), ("Nifti2Image", 168, 544)])
def test_a_header_is_never_read_as_voxels(tmp_path: Path, kind: str, place: int, begins: int) -> None:
    """Some writers leave vox_offset at 0 in a single file."""
    path = tmp_path / "a.nii"
    nibabel.save(getattr(nibabel, kind)(body(), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    with open_volume(path) as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0], body().transpose())
        assert any(f"byte {begins} is taken" in note for note in volume.notes)
    data[begins - 4] = 1  # with extensions, nothing says where the voxels begin
    path.write_bytes(data)
    assert refused(path)[0] == "E_MALFORMED"


def test_what_nibabel_mends_in_a_header_is_said(nifti: Nifti) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[80:84] = np.float32(-2).tobytes()
    path.write_bytes(data)
    with open_volume(path) as volume:
        assert any("mended: pixdim[1,2,3] should be positive" in note for note in volume.notes)


def test_dimensions_that_make_no_sense_reject_one_file_and_do_not_stop_the_search(nifti: Nifti) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[40:48] = np.array([3, -1, 1, 1], np.int16).tobytes()
    data[140:148] = bytes(8)
    path.write_bytes(data)
    assert len(find_volumes(path, t=1).entries) == 1
    assert refused(path)[0] == "E_MALFORMED"


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_axes_of_one_cell_behind_time_do_not_hide_it(nifti: Nifti, tmp_path: Path, name: str) -> None:
    cells = body().reshape(9, 8, 7, 1, 1) + np.array([0, 200, 400], np.int16)[:, None]
    if name == "a.nii.gz":
        path = nifti(cells, name=name)
    else:
        path, steps = tmp_path / name, np.vstack([np.eye(3), np.full((2, 3), np.nan)])
        nrrd.write(str(path), cells, {"space": "RAS", "space directions": steps}, index_order="F")
    (entry,) = find_volumes(path, t=1).entries
    assert entry.part == "t=1"
    with open_volume(path, entry.part) as volume:
        assert volume.read(volume.frames[0].box).min() == body().min() + 200


def spaced(path: Path, units: list[str], **header: Any) -> tuple[str, ...]:
    base = {"space": "RAS", "space directions": np.diag([2.0, 2, 3]), "space origin": [0.0, 0, 0], "space units": units}
    nrrd.write(str(path), body(), {**base, **header}, index_order="F")
    with open_volume(path) as volume:
        assert not volume.notes or volume.frames[0].spacing == (3000.0, 2000.0, 2000.0)
        return volume.notes


def test_an_unknown_unit_of_an_nrrd_is_said(tmp_path: Path) -> None:
    assert spaced(tmp_path / "a.nrrd", ["mm"] * 3) == () == spaced(tmp_path / "b.nrrd", ["um"] * 3)
    (note,) = spaced(tmp_path / "c.nrrd", ["furlong"] * 3)
    assert "'furlong'" in note and "millimetres are assumed" in note


def test_each_axis_of_an_nrrd_has_its_own_unit(tmp_path: Path) -> None:
    header = {"space": "RAS", "space directions": np.diag([2.0, 2, 3000]), "space origin": [1.0, 2, 3000]}
    nrrd.write(str(tmp_path / "a.nrrd"), body(), header | {"space units": ["mm", "mm", "um"]}, index_order="F")
    with open_volume(tmp_path / "a.nrrd") as volume:
        assert volume.frames[0].spacing == (3000.0, 2000.0, 2000.0) and volume.frames[0].origin[0] == 1500.0
    nrrd.write(str(tmp_path / "b.nrrd"), body(), {"spacings": [20.0, 20, 30], "units": ["um"] * 3}, index_order="F")
    with open_volume(tmp_path / "b.nrrd") as volume:
        assert volume.frames[0].spacing == (30.0, 20.0, 20.0)


@pytest.mark.parametrize(("kind", "word"), [("RGB-color", "colours"), ("3-vector", "several numbers")])
def test_an_nrrd_of_colours_or_vectors_is_told_so(tmp_path: Path, kind: str, word: str) -> None:
    steps = np.vstack([np.diag([2.0, 2, 3]), [np.nan] * 3])
    header = {"space": "RAS", "space directions": steps, "kinds": ["domain", "domain", "domain", kind]}
    nrrd.write(str(tmp_path / "a.nrrd"), np.stack([body("uint8")] * 3, -1), header, index_order="F")
    code, message = refused(tmp_path / "a.nrrd")
    assert code == "E_UNSUPPORTED_PIXELS" and word in message and "time" not in message


def test_the_only_volume_of_an_npz_is_taken(tmp_path: Path) -> None:
    cells = body()
    np.savez(tmp_path / "a.npz", volume=cells, affine=np.eye(4))
    (entry,) = find_volumes(tmp_path / "a.npz").entries
    for part in ("", "volume", entry.part):
        with open_volume(tmp_path / "a.npz", part) as volume:
            np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0], cells)
    np.savez(tmp_path / "b.npz", one=cells, other=cells)
    assert refused(tmp_path / "b.npz")[0] == "E_NOT_A_VOLUME"


def test_numbers_that_are_not_finite_are_said_of_a_store_too(tmp_path: Path) -> None:
    import zarr

    from tile_engine.stores.frame import Frame
    from tile_engine.stores.ngff import multiscales

    values = body("float32")
    values[0, 0, 0] = np.nan
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=3)
    group.create_array("0", shape=values.shape, chunks=(4, 4, 4), dtype="float32")[:] = values
    frame = Frame(("z", "y", "x"), values.shape, (2.0, 2.0, 2.0))
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales([frame], name="a", channels=False)}
    with open_volume(tmp_path / "a.ome.zarr") as volume:
        assert any(note.startswith("1 cells") for note in volume.notes)


NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nsizes: 9 8 7\nendian: little\n"
    "space: RAS\nspace directions: (2,0,0) (0,2,0) (0,0,3)\n"
)
VOXELS = body().tobytes(order="F")


def write_nrrd(folder: Path, fields: str, data: bytes, *, is_detached: bool) -> Path:
    path = folder / "a.nhdr"
    text = NRRD + fields + "\n" + ("data file: v.raw\n" if is_detached else "") + "\n"
    path.write_bytes(text.encode() + (b"" if is_detached else data))
    (folder / "v.raw").write_bytes(data)
    return path


@pytest.mark.parametrize("is_detached", [False, True])
@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ("encoding: raw\nbyte skip: -1", b"x" * 333 + VOXELS),  # as before a DICOM file
        ("encoding: raw\nbyte skip: 333", b"x" * 333 + VOXELS),
        ("encoding: gzip\nbyte skip: 100", gzip.compress(b"y" * 100 + VOXELS, mtime=0)),
        ("encoding: bzip2\nbyteskip: 100", bz2.compress(b"y" * 100 + VOXELS)),
    ],
    ids=("raw, from the end", "raw", "gzip", "bzip2"),
)
def test_bytes_before_the_voxels_of_an_nrrd_are_skipped(
    tmp_path: Path, fields: str, data: bytes, is_detached: bool
) -> None:
    """Those of packed voxels are counted in the unpacked stream, as the format says."""
    with open_volume(write_nrrd(tmp_path, fields, data, is_detached=is_detached)) as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0], body().transpose())


@pytest.mark.parametrize("is_detached", [False, True])
def test_skips_of_an_nrrd_that_are_not_read_are_named(tmp_path: Path, is_detached: bool) -> None:
    for fields, data, expected, words in (
        ("encoding: raw\nline skip: 1", b"\n" + VOXELS, "E_UNSUPPORTED_PIXELS", "line skip 1"),
        ("encoding: gzip\nbyte skip: -1", gzip.compress(VOXELS), "E_UNSUPPORTED_PIXELS", "byte skip -1"),
        ("encoding: raw\nbyte skip: -1", VOXELS[:-2], "E_TRUNCATED", "1006 bytes of 1008"),
    ):
        code, message = refused(write_nrrd(tmp_path, fields, data, is_detached=is_detached))
        assert code == expected and words in message
