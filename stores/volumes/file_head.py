"""File head: format of a volume's file from its first bytes, gzip unpacked; names are not trusted."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from ...errors import SlideError
from ..slides.file_head import head_of, kind_of

NIFTI, MGH, NRRD, NPZ, DICOM = "NIfTI", "MGH", "NRRD", "npz", "DICOM"
VOLUME_CONTENTS = (NIFTI, MGH, NRRD, NPZ, DICOM)
"""Formats that hold volumes."""
_FREE = ((348, 344, b"n+1\0"), (348, 344, b"ni1\0"), (540, 4, b"n+2\0"), (540, 4, b"ni2\0"))
"""(size of the header, offset of the magic bytes, magic bytes) of NIfTI-1 and 2, in one file and in two."""


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file, gzip unpacked. Raises SlideError as `slides.file_head.head_of` does."""
    head = head_of(path)
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, 4096) or head
    except zlib.error:
        return head


def content_of(head: bytes) -> str:
    """Format of the first bytes, in words: one of `VOLUME_CONTENTS`, or another.

    >>> content_of(b"NRRD0004"), content_of(b"type = string-attribute"), content_of(b"words")
    ('NRRD', 'AFNI', 'text')
    """
    if head[128:132] == b"DICM":
        return DICOM
    if len(head) >= 4:
        size = {struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0]}
        if any(n in size and head[at : at + 4] == magic for n, at, magic in _FREE):
            return NIFTI
        if 348 in size:
            return "Analyze 7.5"
    if head.startswith(b"NRRD000"):
        return NRRD
    if head.startswith(b"PK\x03\x04") and b".npy" in head[30 : 30 + 256]:
        return NPZ
    if len(head) >= 30:
        version, *sizes, frames, kind, _, good = struct.unpack(">7ih", head[:30])
        if (
            version == 1
            and all(0 < n < 2**16 for n in (*sizes, frames))
            and kind in (0, 1, 3, 4, 10)
            and good in (0, 1)
        ):
            return MGH
    if head.lstrip().startswith(b"type = ") or head.lstrip().startswith(b"type  = "):
        return "AFNI"
    if b"ObjectType" in head[:512] and b"NDims" in head[:512]:
        return "MetaImage"
    if head.startswith(b"CDF\x01"):
        return "MINC or NetCDF"
    if head[:4] in (b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0", b"\x02\0\0\0", b"\x02\0\x10\0"):
        return "DICOM without its preamble"
    return kind_of(head)


def not_a_volume(path: Path, head: bytes) -> SlideError:
    """The error for a file that no reader accepts."""
    kind = content_of(head)
    advice = {
        "Analyze 7.5": "it does not say which side is left; convert it to NIfTI where its origin is known",
        "AFNI": "convert it with 3dAFNItoNIFTI",
        "MetaImage": "convert it to NIfTI or NRRD, as SimpleITK does",
        "npy": "save its array with numpy.savez, as .npz",
        "HDF5": "if it is MINC, convert it with mnc2nii",
        "MINC or NetCDF": "convert it with mnc2nii",
        "zip archive": "unpack it and give the folder",
        "gzip archive": "it is damaged, or holds something else than a volume",
        "DICOM without its preamble": "what is in it would have to be guessed; write it again with its file meta information",
    }.get(kind, "an error page, a picture or a placeholder may have been saved under a volume's name")
    code = "E_DICOM" if kind.startswith("DICOM") else "E_NOT_A_VOLUME"
    return SlideError(f"{path.name}: is no volume that is read: its first bytes are {kind}; {advice}.", code)
