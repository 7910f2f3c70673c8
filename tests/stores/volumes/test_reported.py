"""Volumes as public reports of other programs describe them; docs/faults.md names the reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
import SimpleITK
import zarr

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.volumes.reader import open_volume

Series = Callable[..., Path]
Array = np.ndarray[Any, Any]
SLICES = np.random.default_rng(3).integers(0, 2000, (6, 5, 4))
PLACES = np.array([[-10.0, -20.0, -30.0 + 2.5 * k] for k in range(6)])
CELLS = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)


def read(path: Path, part: str = "") -> tuple[Array, tuple[str, ...]]:
    with open_volume(path, part) as volume:
        return volume.read(volume.frames[0].box)[0], volume.notes


def as_written(folder: Path) -> Array:
    """(slice, row, column) of a straight series."""
    return read(folder)[0][:, ::-1, ::-1]


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(SlideError) as failure:
        open_volume(path)
    return failure.value.code, failure.value.message


def changed(folder: Path, change: Callable[[Any, int], None]) -> Path:
    for file in sorted(folder.iterdir()):
        data = pydicom.dcmread(file)
        change(data, round((float(data.ImagePositionPatient[2]) + 30) / 2.5))
        data.save_as(file)
    return folder


def file_of(folder: Path, slice_number: int) -> Path:
    places = ((file, float(pydicom.dcmread(file).ImagePositionPatient[2])) for file in folder.iterdir())
    return next(file for file, z in places if abs(z + 30 - 2.5 * slice_number) < 0.1)


@pytest.mark.parametrize("content", [b"", b"<html>502 Bad Gateway</html>", bytes(100)])
@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_file_among_slices_that_is_none_is_said_or_refused(series: Series, number: int, content: bytes) -> None:
    """rordenlab/dcm2niix#156: 23 of 151 files were not copied whole, and the volume was made of the others."""
    folder = series(SLICES, PLACES)
    (lost := file_of(folder, number)).write_bytes(content)
    if number == 3:
        assert refusal(folder)[0] == "E_GEOMETRY"
    else:
        cells, notes = read(folder)
        assert len(cells) == 5 and any("1 files that are named as its slices" in n and lost.name in n for n in notes)


@pytest.mark.parametrize(
    ("heights", "word"),
    [
        ([0, 2.5, 5, 190, 192.5, 195], "slices are missing"),  # rordenlab/dcm2niix#248
        ([0, 2.5, 5, 7.5, 15, 22.5], "slices are missing"),  # rordenlab/dcm2niix#22: 2.5 mm, then 7.5 mm
        ([0, 0, 2.5, 5, 10, 12.5], "the position of another slice"),  # rordenlab/dcm2niix#539
        ([0, 2.5, 5, 0, 2.5, 5], "the position of another slice"),  # rordenlab/dcm2niix#357: two points in time
    ],
)
def test_slices_that_are_no_even_stack_are_refused(series: Series, heights: list[float], word: str) -> None:
    code, message = refusal(series(SLICES, [[-10, -20, z] for z in heights]))
    assert code == "E_GEOMETRY" and word in message


def test_the_last_digits_of_positions_do_not_matter(series: Series) -> None:
    """rordenlab/dcm2niix#216: 0.900002 beside 0.9 mm ended a conversion."""
    places = [[-10, -20, 0.9 * k + (2e-6 if k == 1 else 0)] for k in range(6)]
    np.testing.assert_array_equal(as_written(series(SLICES, places, slope=(1, 0))), SLICES)


@pytest.mark.parametrize(
    ("slope", "add"),
    [
        ((0.01, 0), 0),
        ((2, -5), -1000),
    ],  # ImageMagick/ImageMagick#477: read as 0; imagej/ImageJ#51: signed ones unscaled
)
def test_rescaling_is_applied_to_every_kind_of_number(series: Series, slope: tuple[float, float], add: int) -> None:
    cells = as_written(series(SLICES + add, PLACES, slope=slope))
    np.testing.assert_allclose(cells, (SLICES + add) * slope[0] + slope[1], rtol=1e-6)


def enhanced(path: Path, folder: Path, *, states: int = 6, order: Any = range(6), **values: Any) -> Path:
    """The six slices in one file that states so many frames, in this order; `per_frame` are slopes of their own."""
    one = pydicom.dcmread(min(folder.iterdir()))
    per_frame = values.pop("per_frame", None)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del one[name]
    one.NumberOfFrames, one.PixelData = states, SLICES[list(order)].astype("<i2").tobytes()
    shared, frames = pydicom.Dataset(), []
    for group, name, value in (
        ("PlaneOrientationSequence", "ImageOrientationPatient", [1, 0, 0, 0, 1, 0]),
        ("PixelMeasuresSequence", "PixelSpacing", [0.5, 0.75]),
    ):
        setattr(item := pydicom.Dataset(), name, value)
        setattr(shared, group, [item])
    for k in [*order, *range(6, states)]:
        frames.append(pydicom.Dataset())
        frames[-1].PlanePositionSequence = [pydicom.Dataset()]
        frames[-1].PlanePositionSequence[0].ImagePositionPatient = [-10.0, -20.0, -30 + 2.5 * k]
        if per_frame:
            frames[-1].PixelValueTransformationSequence = [pydicom.Dataset()]
            frames[-1].PixelValueTransformationSequence[0].RescaleSlope = per_frame[k]
            frames[-1].PixelValueTransformationSequence[0].RescaleIntercept = 0
    one.SharedFunctionalGroupsSequence, one.PerFrameFunctionalGroupsSequence = [shared], frames
    for name, value in values.items():
        setattr(one, name, value)
    one.save_as(path)
    return path


def test_rescaling_of_many_frames_is_found_wherever_it_stands(series: Series, tmp_path: Path) -> None:
    """lamyj/dicomifier#20, pydicom/pydicom#2353, rordenlab/dcm2niix#839: at the top, frame by frame, frames in any order."""
    folder = series(SLICES, PLACES)
    path = enhanced(tmp_path / "top.dcm", folder, RescaleSlope=2, RescaleIntercept=-100)
    np.testing.assert_allclose(as_written(path), SLICES * 2.0 - 100)
    slopes = [0.5, 1, 1.5, 2, 2.5, 3]
    path = enhanced(tmp_path / "own.dcm", folder, per_frame=slopes, order=[3, 0, 5, 1, 4, 2])
    np.testing.assert_allclose(as_written(path), SLICES * np.array(slopes)[:, None, None], rtol=1e-6)


@pytest.mark.parametrize(("states", "code"), [(7, "E_TRUNCATED"), (5, "E_MALFORMED")])
def test_a_number_of_frames_that_is_not_true_is_refused(series: Series, tmp_path: Path, states: int, code: str) -> None:
    """pydicom/pydicom#1666: more frames, or fewer, than the header states."""
    assert refusal(enhanced(tmp_path / "a.dcm", series(SLICES, PLACES), states=states))[0] == code


def test_a_thumbnail_inside_a_slice_is_no_slice(series: Series) -> None:
    """rordenlab/dcm2niix#239: rows and columns of an icon were taken for those of the slice."""

    def change(data: Any, k: int) -> None:
        icon = pydicom.Dataset()
        icon.Rows = icon.Columns = 2
        icon.BitsAllocated = icon.BitsStored = 8
        icon.HighBit, icon.PixelRepresentation, icon.SamplesPerPixel = 7, 0, 1
        icon.PhotometricInterpretation, icon.PixelData = "MONOCHROME2", bytes(4)
        data.IconImageSequence = [icon] if k % 2 else []

    np.testing.assert_array_equal(as_written(changed(series(SLICES, PLACES, slope=(1, 0)), change)), SLICES)


def test_a_slice_without_pixels_is_refused_by_name(series: Series) -> None:
    """icometrix/dicom2nifti#161: some slices of a series had no pixels."""
    folder = series(SLICES, PLACES)
    data = pydicom.dcmread(file := file_of(folder, 5))
    del data.PixelData
    data.save_as(file)
    code, message = refusal(folder)
    assert code == "E_TRUNCATED" and file.name in message


@pytest.mark.parametrize("signed", [True, False])
def test_twelve_bits_in_sixteen_are_numbers_of_twelve(series: Series, signed: bool) -> None:
    """rordenlab/dcm2niix#688, pydicom/pydicom#2260: signs of 12 bits, and overlays in the bits above them."""
    values = SLICES - 1000 if signed else SLICES

    def change(data: Any, k: int) -> None:
        data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, int(signed)
        above = 0 if signed else 0x8000 * (np.arange(SLICES[k].size).reshape(SLICES[k].shape) % 3 == 0)
        data.PixelData = ((values[k] & 0x0FFF) | above).astype("<u2").tobytes()

    np.testing.assert_array_equal(as_written(changed(series(SLICES, PLACES, slope=(1, 0)), change)), values)


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
@pytest.mark.parametrize(
    "directions",
    [[[0.7, 0, 0], [0, 0.7, 0], [0, 0, 1]], [[0, 1.5, 0], [0, 0, -2], [3, 0, 0]], [[0, 0, -1], [-1.2, 0, 0], [0, -1.4, 0]]],
)  # fmt: skip
def test_nrrd_of_every_direction_is_turned_as_simpleitk_turns_it(tmp_path: Path, directions: Any, space: str) -> None:
    """Project-MONAI/MONAI#3356, #7371, #7912: arrays and affines of NRRD files did not belong together."""
    header = {
        "space": space,
        "space directions": np.array(directions, float),
        "space origin": np.array([-15.0, 17, -18]),
    }
    nrrd.write(str(tmp_path / "a.nrrd"), CELLS, header, index_order="F")
    peer = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(tmp_path / "a.nrrd")), "RAS")
    with open_volume(tmp_path / "a.nrrd") as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0], SimpleITK.GetArrayFromImage(peer))
        np.testing.assert_allclose(volume.frames[0].spacing, 1e3 * np.array(peer.GetSpacing()[::-1]))
        centre = np.array(peer.GetOrigin()) * (-1, -1, 1)
        np.testing.assert_allclose(np.array(volume.canonical_affine)[:3, 3], centre)


def test_one_scan_stored_two_ways_is_one(nifti: Callable[..., Path]) -> None:
    """TorchIO-project/torchio#1300, #469: an image stored to the Left and its mask stored to the Posterior."""
    first, second = np.diag([-1.0, 1, 2, 1]), np.diag([-1.0, -1, 2, 1])
    first[:3, 3], second[:3, 3] = (10, -12, -14), (10, -12 + 6, -14)
    one = read(nifti(CELLS, first, name="a.nii.gz"))[0]
    np.testing.assert_array_equal(one, read(nifti(CELLS[:, ::-1], second, name="b.nii.gz"))[0])


def test_either_form_of_a_nifti_header_is_enough_and_two_that_disagree_are_said(tmp_path: Path) -> None:
    """nipy/nibabel#463: only one form was written; nipreps/fmriprep#2281: the two forms mirrored each other."""
    affine = np.diag([-1.0, 1, 2, 1])
    affine[:3, 3] = 10, -12, -14
    found = {}
    for name, forms in (("q", (affine, None)), ("s", (None, affine)), ("both", (np.diag([1.0, 1, 2, 1]), affine))):
        image = nibabel.Nifti1Image(CELLS, None)
        image.set_qform(forms[0], int(forms[0] is not None))
        image.set_sform(forms[1], int(forms[1] is not None))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
        with open_volume(tmp_path / f"{name}.nii.gz") as volume:
            found[name] = (volume.read(volume.frames[0].box)[0], volume.frames[0], volume.notes)
    for name in ("s", "both"):
        np.testing.assert_array_equal(found["q"][0], found[name][0])
        assert found["q"][1] == found[name][1]
    assert found["both"][2] == ("sform and qform disagree; the sform is used",) and not found["q"][2]


def stored(path: Path, scale: tuple[float, ...] = (1.0, 1, 1), units: str = "millimeter", version: int = 2) -> Path:
    """An OME-Zarr of 32 x 32 x 32 voxels in chunks (or shards) of 16; all of its values are above 0."""
    group = zarr.create_group(path, zarr_format=version)
    options = {"chunks": (8, 8, 8), "shards": (16, 16, 16)} if version == 3 else {"chunks": (16, 16, 16)}
    array = group.create_array("0", shape=(32, 32, 32), dtype="u2", **options)
    array[...] = np.random.default_rng(0).integers(1, 1000, array.shape)
    scales = [{"type": "scale", "scale": list(scale)}]
    axes = [{"name": name, "type": "space", "unit": units} for name in "zyx"]
    content = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scales}]}]
    group.attrs.update(
        {"multiscales": content} if version == 2 else {"ome": {"version": "0.5", "multiscales": content}}
    )
    return path


def chunk_of(path: Path, *index: int) -> Path:
    return path / "0" / str(zarr.open_array(path / "0", mode="r").metadata.encode_chunk_key(index))


def test_chunks_that_a_volume_lacks_are_known(tmp_path: Path) -> None:
    """zarr-developers/zarr-python#486, pydata/xarray#9701: a missing chunk cannot be told from values."""
    path = stored(tmp_path / "a.zarr")
    chunk_of(path, 1, 0, 1).unlink()
    with open_volume(path) as volume:
        assert volume.absent(volume.frames[0].box) == [Box((16, 0, 16), (32, 16, 32))]
        assert volume.absent(Box((0, 0, 0), (16, 32, 32))) == []
    group = zarr.open_group(path)
    (content,) = group.attrs["multiscales"]  # type: ignore[misc]
    for axis, way in zip(
        content["axes"], ("superior-to-inferior", "anterior-to-posterior", "left-to-right"), strict=True
    ):
        axis["orientation"] = {"type": "anatomical", "value": way}
    group.attrs["multiscales"] = [content]
    with open_volume(path) as turned:
        (gap,) = turned.absent(turned.frames[0].box)
        assert gap == Box((0, 16, 16), (16, 32, 32)), "the axes z and y run the other way"
        assert not turned.read(gap).any() and turned.read(Box((0, 0, 0), (16, 16, 32))).all()


def test_an_empty_shard_of_a_volume_cannot_be_read(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.zarr", version=3)
    chunk_of(path, 1, 0, 1).write_bytes(b"")
    with open_volume(path) as volume:
        assert volume.absent(volume.frames[0].box) == []
        with pytest.raises(TileError, match="without content"):
            volume.read(volume.frames[0].box)
        assert volume.read(Box((0, 0, 0), (16, 32, 32))).all()


@pytest.mark.parametrize("scale", [(2.0, -1.5, 1.5), (0.0, 1.5, 1.5)])
def test_scales_that_are_no_lengths_are_refused(tmp_path: Path, scale: tuple[float, ...]) -> None:
    """hms-dbmi/vizarr#297: an axis that runs backwards by a negative scale."""
    code, message = refusal(stored(tmp_path / "a.zarr", scale))
    assert code == "E_NGFF" and str(1e3 * min(scale)) in message
