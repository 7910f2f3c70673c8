"""NIfTI and MGH reader: nibabel parses headers; voxels are memory-mapped, or unpacked once within a size limit."""

from __future__ import annotations

import gzip
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import SlideError
from ..regular import open_regular
from ..slides.companions import partners
from .file_head import MGH, NIFTI, content_of, first_bytes
from .voxels import Voxels, affine_of, block, check_cells, in_memory, spatial_shape

MILLIMETRES = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
"""Millimetres in NIfTI's spatial units, by code; 0 means unknown and is read as millimetres."""
MAX_VOXEL_OFFSET = 2**26
"""Largest offset of the voxels in bytes; extensions lie before them."""
LABEL_INTENT = 1002
"""NIfTI's intent code of volumes whose values are indices of labels."""


class _Mended(logging.Handler):
    """What nibabel mends in a header, as it says it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)  # what is below changes nothing that is read
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "leaving" not in (text := record.getMessage()):
            self.texts.append(text)


def accepts(path: Path, head: bytes) -> bool:
    return content_of(head) in (NIFTI, MGH) or (
        path.name.lower().endswith((".img", ".img.gz")) and header_of(path) != path
    )


def header_of(path: Path) -> Path:
    """The header's file of a header-and-voxels pair; any other path itself."""
    name = path.name
    for end in (".img", ".img.gz"):
        if name.lower().endswith(end):
            stem = name[: -len(end)]
            for other in (".hdr", ".hdr.gz", ".HDR"):
                if path.with_name(stem + other).is_file():
                    return path.with_name(stem + other)
    return path


def shape_of(path: Path) -> tuple[int, ...]:
    """Shape that a NIfTI or MGH header states; empty for other files."""
    try:
        head = first_bytes(path)
        kind = content_of(head)
        return tuple(_header(path, head)[0].get_data_shape()) if kind in (NIFTI, MGH) else ()
    except Exception:  # noqa: BLE001 - nibabel raises whatever odd fields lead it to; opening the file reports why
        return ()


def open_nifti(path: Path, part: str) -> Voxels:
    """Raises SlideError with a reason code."""
    path = header_of(path)
    head = first_bytes(path)
    header, mended = _header(path, head)
    if content_of(head) == MGH:
        return _mgh(path, header, part)
    raw = type(header)(head[: header.template_dtype.itemsize], check=False)
    _check_sizes(path, raw)
    if header.is_single and not raw["vox_offset"] and head[header.single_vox_offset - 4]:
        raise SlideError(
            f"{path.name}: has extensions behind its header and says that its voxels begin at byte 0. Correct vox_offset.",
            "E_MALFORMED",
        )
    return _nifti(path, header, mended, part)


def _check_sizes(path: Path, raw: Any) -> None:
    """Refuse sizes of voxels of 0 where the affine is made of them: nibabel would read them as 1 mm. Raises SlideError."""
    sizes = [float(size) for size in raw["pixdim"][1:4]]
    if int(raw["sform_code"]) <= 0 and 0.0 in sizes:
        raise SlideError(
            f"{path.name}: states voxels of {' x '.join(f'{size:g}' for size in sizes)} and no sform, so their size is not "
            "known. Correct pixdim in its header.",
            "E_AFFINE",
        )


def _header(path: Path, head: bytes) -> tuple[Any, list[str]]:
    """(header, what nibabel mended in it)."""
    from nibabel.freesurfer.mghformat import MGHHeader
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

    kinds: dict[bytes, Any] = {
        b"n+1\0": Nifti1Header, b"ni1\0": Nifti1PairHeader, b"n+2\0": Nifti2Header, b"ni2\0": Nifti2PairHeader,
    }  # fmt: skip
    try:
        if content_of(head) == MGH:
            return MGHHeader(head[:284].ljust(284, b"\0")), []
        kind = kinds.get(head[344:348]) or kinds.get(head[4:8])
        if kind is None:
            raise ValueError("its header is no NIfTI")
        header = kind(head[: kind.template_dtype.itemsize], check=False)
        mended, logger = _Mended(), logging.Logger("nifti")
        logger.addHandler(mended)
        header.check_fix(logger=logger)
        return header, mended.texts
    except Exception as error:  # nibabel raises whatever odd fields lead it to
        raise SlideError(
            f"{path.name}: its header cannot be understood ({error}); it is damaged or cut short. Copy it again.",
            "E_MALFORMED",
        ) from error


def _nifti(path: Path, header: Any, mended: list[str], part: str) -> Voxels:
    try:
        dtype, sizes = header.get_data_dtype(), tuple(int(n) for n in header.get_data_shape())
        codes = int(header["qform_code"]), int(header["sform_code"])
        with np.errstate(all="ignore"):  # what overflows is refused as an affine
            affine = header.get_best_affine() * 1.0
            other = header.get_qform() if min(codes) > 0 else affine
    except Exception as error:  # an unknown type, a quaternion that is none
        raise SlideError(f"{path.name}: its header makes no sense ({error}). Copy it again.", "E_MALFORMED") from error
    check_cells(path, sizes, dtype)
    shape, t = spatial_shape(path, sizes, part)
    notes = [f"its header is mended: {text}" for text in mended]
    millimetre = MILLIMETRES.get(int(header["xyzt_units"]) & 7)
    if millimetre is None:
        notes.append("its unit of length is not known; millimetres are assumed")
    if codes == (0, 0):
        notes.append(
            "its header states no orientation (sform and qform are 0); nibabel's default is assumed, x to the Left"
        )
    with np.errstate(all="ignore"):
        if not (np.abs(affine - other) <= 1e-2 * np.abs(affine[:3, :3]).max()).all():
            notes.append("sform and qform disagree; the sform is used")
        affine[:3] *= millimetre or 1.0
    data, begins = path, float(header["vox_offset"])
    if header.is_single is False:
        pair = partners(path)
        if not pair:
            raise SlideError(
                f"{path.name}: is a header whose voxels lie in an .img file beside it, which is not there. Copy both.",
                "E_MISSING_COMPANION",
            )
        data = pair[0]
    elif begins == 0:  # other offsets that are too low are refused by nibabel
        begins = float(header.single_vox_offset)
        notes.append(
            f"its header says that its voxels begin at byte 0, where it stands itself; byte {begins:g} is taken"
        )
    if not 0 <= begins <= MAX_VOXEL_OFFSET or not begins.is_integer():
        raise SlideError(f"{path.name}: says that its voxels begin at byte {begins}. Copy it again.", "E_MALFORMED")
    unpack = unpacker(data)
    cells = block(data, int(begins) + t * math.prod(shape) * dtype.itemsize, shape, dtype, unpack)
    scale = _scale(path, float(header["scl_slope"]), float(header["scl_inter"]))
    return Voxels(
        "nifti", shape, dtype, in_memory(cells), affine_of(affine), scale, notes=tuple(notes), kept=unpack is not None,
        labels="its NIfTI intent is LABEL" if int(header["intent_code"]) == LABEL_INTENT else "",
    )  # fmt: skip


def _scale(path: Path, slope: float, inter: float) -> tuple[float, float]:
    """(slope, intercept); a slope of 0 or none means unscaled."""
    if not math.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    if not math.isfinite(inter):
        raise SlideError(
            f"{path.name}: scales its voxels by {slope:g} and adds {inter}. Correct scl_inter.", "E_MALFORMED"
        )
    return slope, inter


def _mgh(path: Path, header: Any, part: str) -> Voxels:
    dtype, sizes = header.get_data_dtype(), tuple(int(n) for n in header.get_data_shape())
    check_cells(path, sizes, dtype)
    shape, t = spatial_shape(path, sizes, part)
    good = int(header["goodRASFlag"])
    notes = () if good else ("its header states no orientation; FreeSurfer's coronal one is assumed",)
    offset = header.get_data_offset() + t * math.prod(shape) * dtype.itemsize
    unpack = unpacker(path)
    cells = block(path, offset, shape, dtype, unpack)
    with np.errstate(all="ignore"):  # what overflows is refused as an affine
        affine = affine_of(header.get_affine())
    return Voxels("mgh", shape, dtype, in_memory(cells), affine, notes=notes, kept=unpack is not None)


def unpacker(path: Path) -> Callable[[Path], IO[bytes]] | None:
    """gzip.open for a gzip file, by its first bytes; None for others."""
    with open_regular(path) as file:
        packed = file.read(2) == b"\x1f\x8b"

    unpack: Any = gzip.open
    return unpack if packed else None
