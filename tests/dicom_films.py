"""DICOM films made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset

Array = np.ndarray[Any, Any]


def dicom_film(path: Path, pixels: Array, *, bits: int = 0, syntax: str = "", **elements: Any) -> Path:
    """Writes pixels (y, x) or (frame, y, x) as a DX film; elements by their keywords override those that it has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.7"
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax) if syntax else pydicom.uid.ExplicitVRLittleEndian
    is_little = meta.TransferSyntaxUID != pydicom.uid.ExplicitVRBigEndian
    form = {"is_implicit_VR": False, "is_little_endian": is_little}
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128, **form)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Modality = "DX"
    data.PatientName, data.PatientID, data.StudyDate = "Secret^Person", "ID-4711", "20170401"
    data.Rows, data.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder("<" if is_little else ">")).tobytes()
    data["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path
