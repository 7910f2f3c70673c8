"""TIFF reader: tiles are decoded without OpenSlide: the same pixels, several times faster.

It reads every TIFF that tifffile decodes segment by segment, except formats of vendors whose tiles overlap or are hidden,
which OpenSlide reads. OpenSlide also reads tiles that cannot be decoded here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box
from ..regular import open_regular
from . import colour
from .companions import is_vsi
from .file_head import kind_of
from .openslide_reader import OpenSlidePixels, vendor_of
from .pixels import SlideDescription, level_factor
from .tiff_chain import check_directories
from .tiff_levels import Pyramid, pyramid_of
from .tiff_segments import Segments

PLAIN_VENDORS = ("", "aperio", "generic-tiff")
"""Vendors, as OpenSlide names them, of TIFFs whose tiles lie side by side at the positions in the tags."""
_JPEG_2000 = (33003, 33004, 33005)
_APERIO_YCBCR = 33003
_CHANNELS = {"rgb": 3, "rgba": 3, "premultiplied rgba": 3, "ycbcr": 3, "palette": 3, "cmyk": 3} | {
    "grey": 1, "inverted": 1, "greya": 1, "premultiplied greya": 1
}  # fmt: skip
"""Colour model of the stored samples -> channels that are read; "channels" has as many as there are samples."""
MAX_LOOKED_AT = 2048
"""Pixels along the box in which the meaning of an unspecified sample is looked for."""
_UNREADABLE = "E_UNSUPPORTED_PIXELS"
MAX_TIFF_CHANNELS = 64

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # damage is reported once, by our own errors


def accepts(path: Path, head: bytes) -> bool:
    return kind_of(head) == "TIFF" and not is_vsi(path, head) and vendor_of(path) in PLAIN_VENDORS


class TiffPixels:
    """The pyramid of an open TIFF."""

    def __init__(self, path: Path, part: str = "") -> None:
        self._path, self._part = path, part
        self._file = open_regular(path)
        self._fallback_lock = threading.Lock()
        self._fallback: OpenSlidePixels | None = None
        self._fallback_failed = False
        try:
            self._open(path)
        except BaseException:
            self._file.close()
            raise

    def _open(self, path: Path) -> None:
        import tifffile

        check_directories(path)
        try:
            with tifffile.TiffFile(path, _multifile=False) as tif:
                pyramid = pyramid_of(tif, path.name, self._part)
                key = pyramid.levels[0][0].keyframe
                self._kind, notes = _kind(key, path.name, len(pyramid.levels[0]))
                vendor = vendor_of(path)
                if int(key.compression) in _JPEG_2000 and vendor == "aperio":
                    raise SlideError(f"{path.name}: colours of Aperio's JPEG 2000 are left to OpenSlide.", _UNREADABLE)
                fd = self._file.fileno()
                self._levels = [[Segments(page, fd, path.name) for page in level] for level in pyramid.levels]
                self._palette = _palette(key) if self._kind == "palette" else None
                if self._kind == "ycbcr" and not colour.looks_like_ycbcr(self._middle()):
                    self._kind, notes = "rgb", ["compression 33003, which Aperio uses for YCbCr, holds RGB"]
                if self._kind == "rgb" and tuple(map(int, key.extrasamples)) == (0,):
                    self._kind, notes = self._unspecified(notes)
        except SlideError:
            raise
        except Exception as error:  # tifffile raises whatever a damaged header leads it to
            raise SlideError(
                f"{path.name}: cannot be read as a TIFF ({type(error).__name__}: {error}); it is damaged or cut short. "
                "Copy it again.",
                "E_UNREADABLE",
            ) from error
        self._described = self._describe(pyramid, notes)

    def _describe(self, pyramid: Pyramid, notes: list[str]) -> SlideDescription:
        first = self._levels[0][0]
        channels = _CHANNELS.get(self._kind, first.samples * len(self._levels[0]))
        dtype = np.dtype(np.uint8) if first.dtype == np.bool_ else first.dtype
        self._dtype = dtype
        bright = self._kind in _CHANNELS and self._kind != "grey"
        return SlideDescription(
            reader="tiff",
            shapes=pyramid.shapes,
            factors=tuple(level_factor(pyramid.shapes[0], shape) for shape in pyramid.shapes),
            channels=channels,
            dtype=dtype.name,
            background=int(np.iinfo(dtype).max) if bright else 0,
            stated=pyramid.stated,
            notes=(*pyramid.notes, *notes),
            tiles=tuple(level[0].size for level in self._levels),
        )

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        stored_values, gaps, errors = self._stored(box, level)
        repairs = [(piece, self._mend(piece, level, error)) for piece, error in errors]
        pixels = np.moveaxis(self._coloured(stored_values), -1, 0)
        for piece in gaps:
            self._into(pixels, box, piece)[...] = self._described.background
        for piece, values in repairs:
            self._into(pixels, box, piece)[...] = values
        return pixels

    def _stored(self, box: Box, level: int) -> tuple[Array, list[Box], list[tuple[Box, TileError]]]:
        """(samples as stored (y, x, sample), absent boxes, broken boxes with their errors); both kinds of boxes hold zeros."""
        pages = self._levels[level]
        samples = pages[0].samples
        # Planes in memory, viewed as (y, x, sample): each tile is transposed once, while it is in the processor's cache.
        stored_values = np.moveaxis(np.empty((samples * len(pages), *box.shape), pages[0].dtype), 0, -1)
        gaps: list[Box] = []
        errors: list[tuple[Box, TileError]] = []
        for number, page in enumerate(pages):
            for piece, error in page.read(box, stored_values[..., number * samples : (number + 1) * samples]):
                stored_values[piece.shift((-box.start[0], -box.start[1])).slices] = 0
                if error is None:
                    gaps.append(piece)
                else:
                    errors.append((piece, error))
        return stored_values, gaps, errors

    def _unspecified(self, notes: list[str]) -> tuple[str, list[str]]:
        """(colour model, notes) of RGB with a fourth sample of unspecified meaning.

        It is transparency where the colours below its zeros are one colour, which nobody was meant to see.
        """
        stored = self._middle()
        hidden = stored[stored[..., 3] == 0][:, :3]
        if len(hidden) and (hidden == hidden[0]).all():
            return "rgba", [
                "a fourth sample of unspecified meaning hides one colour: it is read as transparency, over white"
            ]
        return "rgb", notes

    def _middle(self) -> Array:
        """Samples as stored, (y, x, sample), of the middle of the coarsest level; none where part of them is lost."""
        shape = self._levels[-1][0].shape
        start = tuple(max(0, (n - MAX_LOOKED_AT) // 2) for n in shape)
        middle = Box(start, tuple(min(n, a + MAX_LOOKED_AT) for n, a in zip(shape, start, strict=True)))
        stored, gaps, errors = self._stored(middle, len(self._levels) - 1)
        return stored[:0] if gaps or errors else stored

    def absent(self, box: Box, level: int) -> list[Box]:
        return [piece for page in self._levels[level] for piece in page.absent(box)]

    def _into(self, pixels: Array, box: Box, piece: Box) -> Array:
        inside: Array = pixels[(slice(None), *piece.shift((-box.start[0], -box.start[1])).slices)]
        return inside

    def _coloured(self, stored: Array) -> Array:
        """Samples as stored (y, x, sample) to channels (y, x, channel)."""
        background = self._described.background
        if self._kind == "inverted":
            stored = colour.inverted(stored[..., :1]) if stored.dtype != np.bool_ else ~stored[..., :1]
        elif self._kind in ("rgb", "grey"):
            stored = stored[..., : self._described.channels]
        elif self._kind in ("rgba", "greya"):
            stored = colour.over(stored[..., :-1], stored[..., -1], background)
        elif self._kind in ("premultiplied rgba", "premultiplied greya"):
            stored = colour.over_premultiplied(stored[..., :-1], stored[..., -1], background)
        elif self._kind == "ycbcr":
            stored = colour.from_ycbcr(stored[..., :3])
        elif self._palette is not None:
            stored = colour.from_palette(stored[..., 0], self._palette)
        elif self._kind == "cmyk":
            stored = colour.from_cmyk(stored[..., :4])
        if stored.dtype == np.bool_:
            stored = stored.astype(np.uint8) * np.uint8(255)
        return stored

    def _mend(self, piece: Box, level: int, error: TileError) -> Array:
        """The pixels of a broken tile from OpenSlide; raises `error` if OpenSlide cannot decode them either.

        OpenSlide is not used for missing bytes (it would return grey) or wrong headers.
        """
        if error.code != TileError.code or self._kind != "rgb" or self._dtype != np.uint8:
            raise error
        with self._fallback_lock:
            if self._fallback is None and not self._fallback_failed:
                with contextlib.suppress(SlideError):
                    self._fallback = OpenSlidePixels(self._path)
                self._fallback_failed = self._fallback is None
            other = self._fallback
        if other is None or other.described.shapes != self._described.shapes:
            raise error
        try:
            return other.read(piece, level)
        except TileError as second:
            raise TileError(f"{error.message}; OpenSlide cannot decode it either: {second.message}") from second

    def close(self) -> None:
        self._file.close()
        if self._fallback is not None:
            self._fallback.close()


def _kind(key: Any, name: str, pages: int) -> tuple[str, list[str]]:
    """(colour model of the stored samples, notes). Raises SlideError for samples that are not read."""
    photometric, samples, extra = (
        int(key.photometric),
        int(key.samplesperpixel),
        tuple(int(e) for e in key.extrasamples),
    )
    dtype = None if key.dtype is None else np.dtype(key.dtype)
    if dtype is None or dtype not in (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.bool_)):
        raise SlideError(
            f"{name}: pixels of type {'unknown' if dtype is None else dtype.name} are not read; whole numbers of 8 or "
            "16 bits without a sign are. Convert it first (for example with bfconvert).",
            _UNREADABLE,
        )
    if samples * pages > MAX_TIFF_CHANNELS:
        raise SlideError(f"{name}: {samples * pages} channels are more than {MAX_TIFF_CHANNELS}.", _UNREADABLE)
    if key.decode.__name__.startswith("decode_raise"):
        try:
            key.decode(None, 0)
        except (ValueError, NotImplementedError) as error:
            raise SlideError(
                f"{name}: its pixels cannot be decoded ({error}). Convert it first.", _UNREADABLE
            ) from error
    jpeg = int(key.compression) in (6, 7, 34892, 33007)
    if photometric == 6 and not jpeg and int(key.compression) not in (*_JPEG_2000, 34712, 50001, 50002):
        raise SlideError(
            f"{name}: YCbCr colours without JPEG compression are not read. Convert it to RGB first.", _UNREADABLE
        )
    alpha, before = bool(extra) and extra[-1] in (1, 2), "premultiplied " if extra and extra[-1] == 1 else ""
    if photometric in (2, 6) and samples >= 3:
        if pages > 1 or dtype == np.bool_:
            raise SlideError(f"{name}: {pages} pages of {dtype.name} colours in one image are not read.", _UNREADABLE)
        if samples > 3 and _states_channels(key):
            return "channels", [f"its axes say that its {samples} planes are channels, though its tags say colours"]
        if samples == 4 and alpha:
            return f"{before}rgba", ["transparency is laid over white"]
        if int(key.compression) == _APERIO_YCBCR and dtype == np.uint8:
            return "ycbcr", ["compression 33003 holds YCbCr, which is converted to RGB"]
        return "rgb", [f"{samples - 3} samples beyond red, green and blue are dropped"] if samples > 3 else []
    if photometric == 3 and samples == 1 and pages == 1 and dtype == np.uint8:
        return "palette", ["palette colours are read as RGB"]
    if photometric == 5 and samples >= 4 and pages == 1:
        return "cmyk", ["CMYK inks are read as RGB without their colour profile"]
    if photometric == 0 and samples == 1 and pages == 1:
        return "inverted", ["white is stored as zero; grey values are turned round"]
    if photometric in (0, 1, 2, 3) and dtype != np.bool_:
        if samples == 2 and alpha and pages == 1:
            return f"{before}greya", ["transparency is laid over white"]
        return ("grey" if samples * pages == 1 else "channels"), []
    if photometric == 1 and samples == 1 and pages == 1:
        return "grey", []
    words = str(getattr(key.photometric, "name", photometric))
    raise SlideError(f"{name}: colours of the kind {words} with {samples} samples are not read.", _UNREADABLE)


def _palette(key: Any) -> Array:
    """Table (256, 3) of 8 bits from the tag ColorMap (3, 256) of 16."""
    table = np.asarray(key.colormap)
    return (table.T >> 8).astype(np.uint8) if table.max(initial=0) > 255 else table.T.astype(np.uint8)


def _states_channels(key: Any) -> bool:
    """Whether tifffile wrote planes that its user called channels; by itself it tags three as colours, a fourth as alpha."""
    from tifffile.tifffile import shaped_description_metadata

    if int(key.planarconfig) != 2 or not (words := key.shaped_description):
        return False
    return str(shaped_description_metadata(words).get("axes", "")).startswith("C")
