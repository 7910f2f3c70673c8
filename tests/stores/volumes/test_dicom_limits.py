"""DICOM: what elements claim is checked before pixels are unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

from tile_engine.errors import SlideError
from tile_engine.stores.slides import dicom_deflated
from tile_engine.stores.slides.dicom_series import is_slide
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.volumes.dicom_pixels import pictures
from tile_engine.stores.volumes.reader import open_volume

Series = Callable[..., Path]


@pytest.fixture
def folder(series: Series) -> Path:
    slices = np.random.default_rng(0).integers(0, 99, (4, 20, 24))
    return series(slices, [(0, 0, 2 * z) for z in range(4)])


def code_of(folder: Path, change: Callable[[Any], object]) -> str:
    """The code of the error on reading a file that was changed."""
    path = sorted(folder.iterdir())[0]
    data = pydicom.dcmread(path)
    change(data)
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(SlideError, match=path.name) as caught:
        pictures(path)
    return caught.value.code


def test_a_deflated_data_set_is_unpacked_no_further_than_its_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sorted(folder.iterdir())[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)
    with open_volume(folder) as volume:
        assert volume.frames[0].shape == (4, 20, 24)
    monkeypatch.setattr(dicom_deflated, "MAX_DEFLATED_BYTES", 1000)
    with pytest.raises(SlideError) as caught:
        open_volume(path)
    assert caught.value.code == "E_BOMB"


def test_a_bomb_of_deflation_is_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_deflated, "MAX_DEFLATED_BYTES", 2**25)
    path = sorted(folder.iterdir())[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)
    whole = path.read_bytes()
    head = whole[: 144 + int.from_bytes(whole[140:144], "little")]
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    path.write_bytes(head + b"".join(packer.compress(bytes(2**24)) for _ in range(3)) + packer.flush())
    assert path.stat().st_size < 2**20
    with pytest.raises(SlideError, match="33554432") as caught:
        open_volume(path)
    assert caught.value.code == "E_BOMB"


def test_the_place_of_the_packed_bytes_is_not_taken_from_the_stated_length(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private element puts the syntax behind the first pages; the stated length of the group is wrong."""
    monkeypatch.setattr(dicom_deflated, "MAX_DEFLATED_BYTES", 2**22)
    path = sorted(folder.iterdir())[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.file_meta.FileMetaInformationVersion = bytes(10_000)
    data.Modality = "SM"
    data.save_as(path, enforce_file_format=True)
    whole = bytearray(path.read_bytes())
    start = 144 + int.from_bytes(whole[140:144], "little")
    unpacked = zlib.decompress(whole[start:], -15) + bytes(2**23)
    whole[140:144] = (5).to_bytes(4, "little")
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    path.write_bytes(bytes(whole[:start]) + packer.compress(unpacked) + packer.flush())
    for read in (lambda: open_volume(path), lambda: is_slide(path), lambda: open_slide(path)):
        with pytest.raises(SlideError, match="4194304") as caught:
            read()
        assert caught.value.code == "E_BOMB"


def test_meta_information_without_end_is_refused(folder: Path) -> None:
    path = sorted(folder.iterdir())[0]
    data = pydicom.dcmread(path)
    data.file_meta.FileMetaInformationVersion = bytes(2**21)
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(SlideError, match="does not end within") as caught:
        open_volume(path)
    assert caught.value.code == "E_DICOM" and not is_slide(path)


def test_memory_that_runs_out_is_no_file_of_another_kind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pydicom, "dcmread", full)
    with pytest.raises(MemoryError):
        is_slide(sorted(folder.iterdir())[0])


def test_more_pixels_than_packed_bytes_can_hold_are_not_unpacked(folder: Path) -> None:
    def claim(data: Any) -> None:
        data.compress(pydicom.uid.RLELossless)
        data.Rows = data.Columns = 40_000

    assert code_of(folder, claim) in ("E_BOMB", "E_TOO_BIG")


def test_a_packed_picture_of_another_size_than_stated_is_not_unpacked(folder: Path) -> None:
    import imagecodecs

    def other(data: Any) -> None:
        picture = imagecodecs.jpeg2k_encode(np.zeros((2000, 2000), np.uint16), codecformat="j2k")
        data.PixelData = encapsulate([picture])
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless

    assert code_of(folder, other) == "E_BOMB"
