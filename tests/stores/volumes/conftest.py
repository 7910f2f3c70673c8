"""Volumes made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

Array = np.ndarray[Any, Any]


@pytest.fixture
def nifti(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array (i, j, k) as NIfTI: `nifti(array, affine, name=..., slope=..., change=lambda header: ...)`."""

    def write(
        array: Array,
        affine: Array | None = None,
        *,
        name: str = "brain.nii.gz",
        change: Callable[[Any], None] = lambda header: None,
    ) -> Path:
        image = nibabel.Nifti1Image(array, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine)
        change(image.header)
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., Path]:
    """Writes slices (k, row, column) as a CT series; `places` are the positions of their first cells."""

    def write(
        slices: Array,
        places: Any,
        *,
        folder: str = "ct",
        uid: str = "1.2.826.0.1.3680043.8.498.1",
        orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
        slope: tuple[float, float] = (1, -1024),
    ) -> Path:
        import pydicom
        from pydicom.dataset import FileDataset, FileMetaDataset

        (tmp_path / folder).mkdir(exist_ok=True)
        for number in np.random.default_rng(1).permutation(len(slices)):  # names do not follow places
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
            meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            path = tmp_path / folder / f"{uid[-3:]}-{(number * 7) % 101:03d}.dcm"
            data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
            data.SeriesInstanceUID, data.Modality = uid, "CT"
            data.PatientName, data.PatientID = "Secret^Person", "ID-4711"
            data.Rows, data.Columns = slices.shape[1:]
            data.PixelSpacing = [0.5, 0.75]  # rows, columns
            data.ImagePositionPatient = [float(v) for v in places[number]]
            data.ImageOrientationPatient = [float(v) for v in orientation]
            data.RescaleSlope, data.RescaleIntercept = slope
            data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
            data.BitsAllocated = data.BitsStored = 16
            data.HighBit, data.PixelRepresentation = 15, 1
            data.PixelData = slices[number].astype("<i2").tobytes()
            data.save_as(path, enforce_file_format=True)
        return tmp_path / folder

    return write
