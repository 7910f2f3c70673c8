"""NIfTI writer: a volume as `.nii.gz`, part by part; equal volumes give equal bytes, since no time and no name is written.

The header holds geometry, type and intent, and nothing else: `descrip`, `db_name` and extensions of a source never reach it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..frame import Array
from ..partial_file import PartialFile
from ..placement import Affine
from .nifti_reader import LABEL_INTENT

MAX_SIDE = 32767
"""Cells along an axis of NIfTI-1; a longer one makes a NIfTI-2."""
ALIGNED_CODE = 2
"""NIfTI's code of a space that other files share: the affine is that of the source, whatever space the source is in."""
GZIP_LEVEL = 6
"""Compression level of gzip."""
_WIDER = {"float16": "float32", "bool": "uint8"}
"""Types that NIfTI lacks, and the narrowest one that holds all of their values."""


@dataclass(frozen=True, slots=True)
class NiftiVolume:
    """Geometry and meaning of a volume to write."""

    shape: tuple[int, ...]
    """Cells along the axes k, j and i of the file."""
    channels: int
    """More than one make a fourth axis."""
    dtype: str
    affine: Affine
    """From indices (i, j, k, 1) to millimetres Right, Anterior, Superior."""
    labels: bool
    """Whether the values name regions."""


def stored_dtype(dtype: str) -> str:
    """The type in a NIfTI file of values of this type: the same, or the narrowest wider one.

    >>> stored_dtype("uint16"), stored_dtype("float16")
    ('uint16', 'float32')
    """
    return _WIDER.get(dtype, dtype)


def write_nifti(file: PartialFile, volume: NiftiVolume, parts: Iterable[Array]) -> None:
    """Write a volume from its cells in C order of (channel, k, j, i), which is the order of the file."""
    dtype = np.dtype(stored_dtype(volume.dtype)).newbyteorder("<")
    with gzip.GzipFile(
        filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=cast(io.BytesIO, file), mtime=0
    ) as packed:
        packed.write(header_of(volume))
        for part in parts:
            packed.write(np.ascontiguousarray(part, dtype).data)


def header_of(volume: NiftiVolume) -> bytes:
    """The header's bytes, up to the first voxel."""
    import nibabel

    shape = (*volume.shape[::-1], *((volume.channels,) if volume.channels > 1 else ()))
    kind: Any = nibabel.Nifti2Header if max(shape) > MAX_SIDE else nibabel.Nifti1Header
    header = kind(endianness="<")
    header.set_data_dtype(np.dtype(stored_dtype(volume.dtype)))
    header.set_data_shape(shape)
    affine = np.array(volume.affine)
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), *(1.0 for _ in shape[3:])))
    header.set_sform(affine, ALIGNED_CODE)
    header.set_qform(affine, ALIGNED_CODE)
    header.set_xyzt_units("mm")
    header.set_slope_inter(1, 0)
    if volume.labels:
        header.set_intent(LABEL_INTENT)
    header["vox_offset"] = len(header.binaryblock) + 4
    return bytes(header.binaryblock) + bytes(4)  # no extensions
