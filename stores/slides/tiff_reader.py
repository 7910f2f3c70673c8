"""TIFF reader: tiles are decoded without OpenSlide: the same pixels, several times faster.

It reads every TIFF that tifffile decodes segment by segment, except formats of vendors whose tiles overlap or are hidden,
which OpenSlide reads. OpenSlide also reads tiles that cannot be decoded here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import SlideError, TileError
from ..foreign import foreign
from ..frame import Array, Box
from ..regular import open_regular
from ..tile_reader import TileReader
from . import colour
from .companions import is_vsi
from .cut_short import cut_of
from .file_head import kind_of
from .openslide_reader import OpenSlidePixels, vendor_of
from .pixels import SlideDescription, level_factor
from .tiff_chain import check_directories
from .tiff_colours import JPEG_2000, UNREADABLE, colour_model, palette_of
from .tiff_levels import Pyramid, pyramid_of
from .tiff_segments import Segments

PLAIN_VENDORS = ("", "aperio", "generic-tiff")
"""Vendors, as OpenSlide names them, of TIFFs whose tiles lie side by side at the positions in the tags."""
_CHANNELS = {"rgb": 3, "rgba": 3, "premultiplied rgba": 3, "ycbcr": 3, "palette": 3, "cmyk": 3} | {
    "grey": 1, "inverted": 1, "greya": 1, "premultiplied greya": 1
}  # fmt: skip
"""Colour model of the stored samples -> channels that are read; "channels" has as many as there are samples."""
MAX_LOOKED_AT = 2048
"""Pixels along the box in which the meaning of an unspecified sample is looked for."""

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
                self._kind, notes = colour_model(key, path.name, len(pyramid.levels[0]))
                vendor = vendor_of(path)
                if int(key.compression) in JPEG_2000 and vendor == "aperio":
                    raise SlideError(f"{path.name}: colours of Aperio's JPEG 2000 are left to OpenSlide.", UNREADABLE)
                fd = self._file.fileno()
                self._levels = [[Segments(page, fd, path.name) for page in level] for level in pyramid.levels]
                self._palette = palette_of(key) if self._kind == "palette" else None
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
            cut=tuple(
                cut_of(np.any([page.behind_end() for page in level], axis=0), level[0].size, level[0].shape)
                for level in self._levels
            ),
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

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """What decodes the tiles of a level, a row of them at a time; None where it has strips, or planes apart."""
        page = self._levels[level][0]
        if len(self._levels[level]) > 1 or not page.has_whole_tiles:
            return None
        return TileReader(page.size, (page.size[0], page.shape[1]), partial(self._decoded, level=level))

    def _decoded(self, tiles: Sequence[Box], level: int) -> Iterator[Array | None]:
        page = self._levels[level][0]
        for tile in tiles:
            pixels: Array | None = None
            try:
                with foreign(partial(_unforeseen, tile)):
                    stored = page.tile(tile)
                    if stored is None:
                        pixels = np.full(
                            (self._described.channels, *tile.shape), self._described.background, self._dtype
                        )
                    else:
                        pixels = self._coloured(stored).transpose(2, 0, 1)
            except TileError as error:
                with (
                    contextlib.suppress(TileError),
                    foreign(partial(_unforeseen, tile)),
                ):  # whoever asked masks the tile
                    pixels = self._mend(tile, level, error)
            yield pixels

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


def _unforeseen(tile: Box, why: str) -> TileError:
    return TileError(f"the tile at {tile} cannot be read: its decoder fails unexpectedly ({why})")
