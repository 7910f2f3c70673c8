"""DICOM slides made on the spot: any tiles, in any order, of any size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID

Image = np.ndarray[Any, Any]
TILE = 64
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
NATIVE = "1.2.840.10008.1.2.1"


def tiles_of(pixels: Image) -> list[Image]:
    """The tiles of an image (y, x[, sample]) in raster order; the last ones are padded."""
    pad = [(0, -n % TILE) for n in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
    whole = np.pad(pixels, pad, mode="edge")
    rows, columns = (n // TILE for n in whole.shape[:2])
    return [
        np.ascontiguousarray(whole[y * TILE : y * TILE + TILE, x * TILE : x * TILE + TILE])
        for y in range(rows)
        for x in range(columns)
    ]


def write_slide(
    path: Path,
    frames: Sequence[Image],
    shape: tuple[int, int],
    encode: Callable[[Image], bytes] | None = None,
    **tags: Any,
) -> Dataset:
    """Write the frames as a whole-slide image of `shape` pixels, TILED_FULL at 0.5 um; `tags` replace attributes (None: none).

    `encode` compresses a frame; then `syntax` is its transfer syntax, and `table` the table of offsets.
    """
    syntax, table = tags.pop("syntax", NATIVE), tags.pop("table", "basic")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = UID(tags.get("SOPClassUID", WHOLE_SLIDE)), UID(syntax)
    meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{zlib.crc32(path.name.encode())}")
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    measures, shared, origin = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SpacingBetweenSlices = [0.0005, 0.0005], tags.pop("step", 0.001)
    shared.PixelMeasuresSequence = [measures]
    origin.ZOffsetInSlideCoordinateSystem = tags.pop("z", 0.0)
    samples = 1 if frames[0].ndim == 2 else 3
    attributes = {
        "SOPClassUID": WHOLE_SLIDE, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "SeriesInstanceUID": "1.2.3.4",
        "Modality": "SM", "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "Rows": TILE, "Columns": TILE,
        "NumberOfFrames": len(frames), "TotalPixelMatrixRows": shape[0], "TotalPixelMatrixColumns": shape[1],
        "TotalPixelMatrixFocalPlanes": 1, "DimensionOrganizationType": "TILED_FULL", "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2", "BitsAllocated": 8 * frames[0].itemsize,
        "BitsStored": 8 * frames[0].itemsize, "HighBit": 8 * frames[0].itemsize - 1, "PixelRepresentation": 0,
        "SharedFunctionalGroupsSequence": [shared], "TotalPixelMatrixOriginSequence": [origin],
    } | ({"PlanarConfiguration": 0} if samples == 3 else {}) | tags  # fmt: skip
    for name, value in attributes.items():
        if value is not None:
            setattr(dataset, name, value)
    if encode is None:
        dataset.PixelData = b"".join(frame.tobytes() for frame in frames)
        dataset["PixelData"].VR = "OW"
    elif table == "extended":
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(
            [encode(frame) for frame in frames]
        )
    else:
        fragments = 2 if table == "fragments" else 1
        streams = [encode(frame) for frame in frames]
        dataset.PixelData = encapsulate(streams, fragments_per_frame=fragments, has_bot=table == "basic")
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def at_position(row: int, column: int, z: float | None = None, path: str = "") -> Dataset:
    """The functional group of a frame that begins at this pixel (from 0)."""
    group, plane = Dataset(), Dataset()
    plane.RowPositionInTotalImagePixelMatrix, plane.ColumnPositionInTotalImagePixelMatrix = row + 1, column + 1
    if z is not None:
        plane.ZOffsetInSlideCoordinateSystem = z
    group.PlanePositionSlideSequence = [plane]
    if path:
        optical = Dataset()
        optical.OpticalPathIdentifier = path
        group.OpticalPathIdentificationSequence = [optical]
    return group
