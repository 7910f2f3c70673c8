"""A DICOM series is one volume if its slices make one grid, whatever the files are called; else the reason is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from tile_engine.errors import SlideError
from tile_engine.stores.volumes import dicom_reader
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume
from tile_engine.stores.volumes.series import mark_of

Series = Callable[..., Path]
SLICES = np.random.default_rng(3).integers(0, 2000, (6, 5, 4))
PLACES = np.array([[-10.0, -20.0, -30.0 + 2.5 * k] for k in range(6)])


def refused(folder: Path, part: str = "") -> tuple[str, str]:
    with pytest.raises(SlideError) as failure:
        open_volume(folder, part)
    assert "Secret" not in failure.value.message and "4711" not in failure.value.message
    return failure.value.code, failure.value.message


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("orientation", "normal"),
    [((1, 0, 0, 0, 1, 0), (0, 0, 1)), ((0, 1, 0, 0, 0, -1), (-1, 0, 0)), ((1, 0, 0, 0, 0, -1), (0, 1, 0))],
)
def test_slices_are_put_in_order_as_simpleitk_has_them(
    series: Series, orientation: tuple[float, ...], normal: tuple[float, ...], order: int
) -> None:
    import SimpleITK

    places = np.array([-10.0, -20.0, -30.0]) + 2.5 * np.arange(6)[:, None] * np.array(normal)
    folder = series(SLICES[::order], places[::order], orientation=orientation)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    peer = SimpleITK.DICOMOrient(SimpleITK.ReadImage(names), "RAS")
    with open_volume(folder) as volume:
        found = volume.read(volume.frames[0].box)[0]
        np.testing.assert_array_equal(found, SimpleITK.GetArrayFromImage(peer))
        assert (volume.reader, volume.dtype) == ("dicom", "float32")  # slope 1, intercept -1024: Hounsfield units
        np.testing.assert_allclose(volume.frames[0].spacing, 1e3 * np.array(peer.GetSpacing()[::-1]))
        origin = np.array(peer.GetOrigin()) * (-1, -1, 1)  # of the centre, in LPS
        spacing = np.array(peer.GetSpacing())
        np.testing.assert_allclose(volume.frames[0].origin, 1e3 * (origin - spacing / 2)[::-1])


def test_unscaled_pixels_keep_their_type_and_scales_of_their_own_are_applied(series: Series) -> None:
    with open_volume(series(SLICES, PLACES, slope=(1, 0))) as volume:
        assert volume.dtype == "int16"
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], SLICES)
    folder = series(SLICES, PLACES, folder="pet")
    for number, file in enumerate(sorted(folder.iterdir())):
        data = pydicom.dcmread(file)
        data.RescaleSlope = number + 1
        data.save_as(file)
    with open_volume(folder) as volume:
        assert volume.dtype == "float32" and any("one by one" in note for note in volume.notes)
        found = {pydicom.dcmread(f).ImagePositionPatient[2]: pydicom.dcmread(f).RescaleSlope for f in folder.iterdir()}
        slopes = np.array([float(found[z]) for z in sorted(found)])
        expected = SLICES * slopes[:, None, None] - 1024
        np.testing.assert_allclose(volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("places", "word"),
    [
        (np.delete(np.vstack([PLACES, PLACES[-1:] + np.array([0, 0, 2.5])]), 3, 0), "1 slices are missing"),
        (np.vstack([PLACES[:5], PLACES[2:3]]), "the position of another slice"),
        (PLACES + np.arange(6)[:, None] * [0, 0.5, 0], "gantry tilted by 11.3 degrees"),
        (PLACES * [1, 1, 1] + np.array([0, 0, 0, 0, 0, 0.7])[:, None] * [0, 0, 1], "varies from"),
    ],
)
def test_slices_that_make_no_grid(series: Series, places: Any, word: str) -> None:
    code, message = refused(series(SLICES, places))
    assert code == "E_GEOMETRY" and word in message


def test_jitter_of_the_scanner_is_none(series: Series) -> None:
    open_volume(series(SLICES, PLACES + np.random.default_rng(0).normal(0, 1e-3, PLACES.shape))).close()


def test_slices_of_two_sizes_and_directions(series: Series) -> None:
    folder = series(SLICES, PLACES)
    other = series(SLICES[:1, :4], PLACES[:1] + np.array([0, 0, 99]), folder="other")
    shutil.copyfile(next(other.iterdir()), folder / "z.dcm")
    code, message = refused(folder)
    assert code == "E_GEOMETRY" and "2 grids" in message


def test_mixed_series_are_sorted_out_and_named_by_no_patient(series: Series) -> None:
    for uid, add in (("1.2.3.111", 0), ("1.2.3.222", 500)):
        folder = series(SLICES + add, PLACES, uid=uid, slope=(1, 0))
    (folder / "notes.txt").write_text("words")
    assert refused(folder)[0] == "E_NOT_A_VOLUME" and mark_of("1.2.3.111") in refused(folder)[1]
    cohort = find_volumes(folder.parent)
    assert {(e.path, e.part) for e in cohort.entries} == {
        (folder, mark_of("1.2.3.111")),
        (folder, mark_of("1.2.3.222")),
    }
    assert {e.name for e in cohort.entries} == {f"ct/{mark_of('1.2.3.111')}", f"ct/{mark_of('1.2.3.222')}"}
    assert len({e.id for e in cohort.entries}) == 2 and dict(cohort.ignored) == {
        "ct/notes.txt": "is no volume but text"
    }
    assert "1.2.3" not in repr(cohort) and "Secret" not in repr(cohort)
    for uid, add in (("1.2.3.111", 0), ("1.2.3.222", 500)):
        for part in (uid, mark_of(uid)):
            with open_volume(folder, part) as volume:
                np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], SLICES + add)
    assert refused(folder, "1.2.3.333")[0] == "E_NOT_A_VOLUME"


def test_a_slice_alone_pixels_cut_short_and_no_preamble(series: Series) -> None:
    folder = series(SLICES, PLACES)
    file = min(folder.iterdir())
    assert refused(file)[0] == "E_NOT_A_VOLUME"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    assert refused(folder)[0] in ("E_TRUNCATED", "E_DICOM")
    file.write_bytes(whole[132:])
    assert refused(file)[0] == "E_DICOM"
    file.write_bytes(whole[:200])
    assert refused(file)[0] in ("E_DICOM", "E_NOT_A_VOLUME")


def test_frames_of_one_file_are_slices(series: Series, tmp_path: Path) -> None:
    one = pydicom.dcmread(min(series(SLICES, PLACES).iterdir()))
    del one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing
    one.NumberOfFrames, one.PixelData = 6, SLICES[::-1].astype("<i2").tobytes()
    shared, frames = pydicom.Dataset(), []
    shared.PlaneOrientationSequence = [pydicom.Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = [pydicom.Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.75]
    for place in PLACES[::-1]:
        frames.append(pydicom.Dataset())
        frames[-1].PlanePositionSequence = [pydicom.Dataset()]
        frames[-1].PlanePositionSequence[0].ImagePositionPatient = place.tolist()
    one.SharedFunctionalGroupsSequence, one.PerFrameFunctionalGroupsSequence = [shared], frames
    one.save_as(tmp_path / "enhanced.dcm")
    with open_volume(tmp_path / "enhanced.dcm") as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], SLICES - 1024)
    del one.PerFrameFunctionalGroupsSequence
    one.save_as(tmp_path / "enhanced.dcm")
    assert refused(tmp_path / "enhanced.dcm")[0] == "E_GEOMETRY"


def test_a_decoder_that_is_missing_is_named(series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = series(SLICES, PLACES)
    for file in folder.iterdir():
        data = pydicom.dcmread(file)
        size = bytes([8, *data.Rows.to_bytes(2, "big"), *data.Columns.to_bytes(2, "big"), 1, 1, 0x11, 0])
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xc3\0\x0b" + size + b"\xff\xd9\0"])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
        data.save_as(file)
    code, message = refused(folder)
    assert code == "E_DICOM" and "JPEG Lossless" in message and "pylibjpeg-libjpeg" in message


def test_files_are_never_read_by_force(monkeypatch: pytest.MonkeyPatch, series: Series) -> None:
    said = []
    read = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *a, **k: said.append(k.get("force", False)) or read(*a, **k))
    open_volume(series(SLICES, PLACES)).close()
    assert said and not any(said)


def test_what_is_no_dicom_in_the_folder_of_a_series_is_left_out(series: Series) -> None:
    folder = series(SLICES, PLACES)
    for name, content in (
        ("DICOMDIR", b"\0" * 128 + b"DICM"),
        ("empty.dcm", b""),
        (".hidden.dcm", b"x"),
        ("a.txt", b"x"),
    ):
        (folder / name).write_bytes(content)
    assert len(dicom_reader.dicom_files(folder)) == 6
    open_volume(folder).close()


def changed(folder: Path, change: Callable[[Any, int], None]) -> Path:
    """The series with `change(data, number of the slice)` of each of its files."""
    for file in sorted(folder.iterdir()):
        data = pydicom.dcmread(file)
        change(data, round((float(data.ImagePositionPatient[2]) + 30) / 2.5))
        data.save_as(file)
    return folder


def cells(folder: Path, part: str = "") -> tuple[Any, tuple[str, ...]]:
    """(slice, row, column) as they were written, and the notes."""
    with open_volume(folder, part) as volume:
        return volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], volume.notes


def test_slices_of_mixed_types_are_widened(series: Series) -> None:
    wanted = SLICES.copy()
    wanted[[0, 5]] = wanted[[0, 5]].clip(0, 200)

    def change(data: Any, k: int) -> None:
        if k in (0, 5):
            data.BitsAllocated = data.BitsStored = 8
            data.HighBit, data.PixelRepresentation = 7, 0
            data.PixelData = wanted[k].astype(np.uint8).tobytes()

    found, _ = cells(changed(series(SLICES, PLACES, slope=(1, 0)), change))
    np.testing.assert_array_equal(found, wanted)
    large = SLICES.copy()
    large[3] += 40_000

    def unsigned(data: Any, k: int) -> None:
        if k == 3:
            data.PixelRepresentation, data.PixelData = 0, large[3].astype("<u2").tobytes()

    found, _ = cells(changed(series(SLICES, PLACES, folder="b", slope=(1, 0)), unsigned))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, large)


@pytest.mark.parametrize("is_rescaled", [False, True])
def test_a_modality_lut_is_applied_and_said(series: Series, is_rescaled: bool) -> None:
    """A rescale beside it, which the standard forbids, is not applied to its values."""
    table = np.arange(2100)[::-1].astype(np.uint16)

    def change(data: Any, k: int) -> None:
        item = pydicom.Dataset()
        item.LUTDescriptor, item.ModalityLUTType = [len(table), 0, 16], "US"
        item.add_new("LUTData", "OW", table.tobytes())
        item["LUTDescriptor"].VR = "US"
        data.PixelRepresentation, data.ModalityLUTSequence = 0, [item]
        if not is_rescaled:
            del data.RescaleSlope, data.RescaleIntercept

    found, notes = cells(changed(series(SLICES, PLACES), change))
    np.testing.assert_array_equal(found, table[SLICES])
    assert "its Modality LUT is applied" in notes
    assert is_rescaled == any("rescale slope or intercept beside its Modality LUT" in note for note in notes)


def test_a_message_on_damaged_elements_quotes_none_of_them(series: Series) -> None:
    folder = changed(series(SLICES, PLACES), lambda data, k: setattr(data, "PatientID", "Doe-12"))
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"LO\x06\x00Doe-12", b"FL\x06\x00Doe-12"))
    with pytest.raises(SlideError, match="contradict each other") as caught:
        open_volume(folder)
    assert "Doe" not in caught.value.message


@pytest.mark.parametrize("kind", ["MONOCHROME1", "PALETTE COLOR"])
def test_what_values_mean_is_said(series: Series, kind: str) -> None:
    found, notes = cells(
        changed(series(SLICES, PLACES), lambda data, k: setattr(data, "PhotometricInterpretation", kind))
    )
    np.testing.assert_array_equal(found, SLICES - 1024)
    assert any(kind in note for note in notes)


def test_digits_that_differ_by_rounding_are_one_grid(series: Series) -> None:
    def change(data: Any, k: int) -> None:
        data.ImageOrientationPatient = [1, 4e-7 * (-1) ** k, 0, 0, 1, 0]
        data.PixelSpacing = ["0.9765625", "0.9765625"] if k % 2 else ["0.976562", "0.976562"]

    found, _ = cells(changed(series(SLICES, PLACES, slope=(1, 0)), change))
    np.testing.assert_array_equal(found, SLICES)


@pytest.mark.parametrize(("gap", "digits", "tilt"), [(0.3333, 2, 0.0), (6.5, 1, 10.0), (1.1, 1, 20.0)])
def test_rounded_positions_are_one_grid(series: Series, gap: float, digits: int, tilt: float) -> None:
    sine, cosine = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))
    places = np.array([-10.0, -20.0, -30.0]) + gap * np.arange(6)[:, None] * np.array([0, -sine, cosine])
    folder = series(SLICES, places.round(digits), orientation=(1, 0, 0, 0, cosine, sine), slope=(1, 0))
    with open_volume(folder) as volume:
        np.testing.assert_array_equal(volume.read(volume.frames[0].box)[0][:, ::-1, ::-1], SLICES)
        assert abs(volume.frames[0].spacing[0] / 1e3 - gap) < 0.02 * gap + 0.02


def test_exact_copies_of_slices_are_left_out_and_said(series: Series) -> None:
    folder = series(SLICES, PLACES, slope=(1, 0))
    for file in sorted(folder.iterdir())[:4]:
        shutil.copy(file, file.with_name(file.stem + " (1).dcm"))
    found, notes = cells(folder)
    np.testing.assert_array_equal(found, SLICES)
    assert any(note.startswith("4 of its slices are exact copies") for note in notes)


def test_an_echo_can_be_named(series: Series) -> None:
    folder = changed(series(SLICES, PLACES, slope=(1, 0)), lambda data, k: setattr(data, "EchoTime", 20))
    for file in sorted(folder.iterdir()):
        data = pydicom.dcmread(file)
        data.EchoTime, data.PixelData = 10, (data.pixel_array // 2).astype("<i2").tobytes()
        data.save_as(file.with_name("e" + file.name))
    code, message = refused(folder)
    assert code == "E_GEOMETRY" and "echo=1 (10 ms), echo=2 (20 ms)" in message
    np.testing.assert_array_equal(cells(folder, "echo=2")[0], SLICES)
    mark = mark_of("1.2.826.0.1.3680043.8.498.1")
    np.testing.assert_array_equal(cells(folder, f"{mark}/echo=1")[0], SLICES // 2)
    assert refused(folder, "echo=3")[0] == refused(folder, "echo=one")[0] == "E_NOT_A_VOLUME"


def test_fewer_slices_than_the_files_state_are_said(series: Series) -> None:
    folder = changed(series(SLICES, PLACES), lambda data, k: setattr(data, "ImagesInAcquisition", 6))
    assert not any("missing" in note for note in cells(folder)[1])
    next(f for f in folder.iterdir() if float(pydicom.dcmread(f).ImagePositionPatient[2]) == -30).unlink()
    assert any("6 images, and 5 are here" in note for note in cells(folder)[1])


@pytest.mark.parametrize("uids", ["own", "none"])
def test_files_with_uids_of_their_own_are_put_together_by_their_grid(series: Series, uids: str) -> None:
    def change(data: Any, k: int) -> None:
        if uids == "none":
            del data.SeriesInstanceUID
        else:
            data.SeriesInstanceUID += f".{k}"

    folder = changed(series(SLICES, PLACES, slope=(1, 0)), change)
    (entry,) = find_volumes(folder.parent).entries
    assert entry.path == folder and entry.part.startswith("grid-")
    np.testing.assert_array_equal(cells(folder, entry.part)[0], SLICES)
    np.testing.assert_array_equal(cells(folder)[0], SLICES)
    sorted(folder.iterdir())[2].unlink()
    (entry,) = find_volumes(folder.parent).entries  # one reason for the folder, not one a file
    assert refused(folder, entry.part)[0] == "E_GEOMETRY"
