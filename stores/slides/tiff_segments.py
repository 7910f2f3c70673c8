"""TIFF segments: the tiles or strips of one page, read by offset and decoded in the caller's thread.

```text
grid of a page      |--seg--|--seg--|--s|    the last ones are stored whole or cropped; pixels beyond the page are ignored
box to read               [-----------]
```
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box
from .absent import absent_boxes
from .cut_short import behind_end
from .jpeg_colour import says_ycbcr
from .stated_size import jpeg_size_of_tile, stated_size
from .strict_jpeg import strict_decoder

MAX_SEGMENT_BYTES = 2**30
"""Largest size of a decoded tile or strip in bytes, to bound memory."""
MAX_CACHED_BYTES = 2**27
"""Decoded strips and large tiles that a page keeps, in bytes: each crosses many boxes."""
LARGE_TILE_BYTES = 2**22
"""Size in bytes above which decoded tiles are kept: patches of a whole slide in one tile would decode it each."""

_JPEG = (7,)
_JPEG_TABLES = (6, 7, 34892, 33007)
_PICTURES = (*_JPEG_TABLES, 33003, 33004, 33005, 34712, 34927, 34933, 50001, 50002, 52546)
"""Compressions whose tiles are pictures with a header of their own: JPEG, JPEG 2000, PNG, WebP, JPEG XL."""
_GREY, _RGB = 1, 2
_ROWS, _HEAD = 64, 4096


class Segments:
    """One page as an array (y, x, sample) that is read box by box."""

    def __init__(self, page: Any, fd: int, name: str) -> None:
        key = page.keyframe
        self._name, self._fd = name, fd
        self.shape = (int(key.imagelength), int(key.imagewidth))
        self.samples = int(key.samplesperpixel)
        self.dtype = np.dtype(key.dtype)
        separate = int(key.planarconfig) == 2 and self.samples > 1
        self._planes, self._contiguous = (self.samples, 1) if separate else (1, self.samples)
        if key.is_tiled:
            self.size = (int(key.tilelength), int(key.tilewidth))
        else:
            self.size = (min(int(key.rowsperstrip), self.shape[0]), self.shape[1])
        self._offsets, self._counts = page.dataoffsets, page.databytecounts
        self._tiled = bool(key.is_tiled)
        self._tables = key.jpegtables
        nbytes = self.size[0] * self.size[1] * self._contiguous * self.dtype.itemsize
        self._keeps = not self._tiled or nbytes > LARGE_TILE_BYTES
        self._decode: Callable[[bytes, int], Array]
        if int(key.compression) in _JPEG and self.dtype == np.uint8 and self.samples in (1, 3):
            self._decode = self._jpeg(key)
        elif not self._tiled and self._is_plain(key):
            self._decode = self._raw(key)
        else:
            self._decode = self._any(key)
        rows, columns = self.grid
        nbytes = self.size[0] * self.size[1] * self._contiguous * self.dtype.itemsize
        if nbytes > MAX_SEGMENT_BYTES:
            raise SlideError(
                f"{name}: one {'tile' if self._tiled else 'strip'} holds {nbytes} bytes of pixels, more than "
                f"{MAX_SEGMENT_BYTES}: it cannot be read piece by piece. Write it as a tiled TIFF first.",
                "E_TOO_BIG",
            )
        if len(self._offsets) < rows * columns * self._planes or len(self._counts) < rows * columns * self._planes:
            raise SlideError(
                f"{name}: lists {len(self._offsets)} tiles where its size needs {rows * columns * self._planes}; "
                "the file is damaged. Copy it again.",
                "E_MALFORMED",
            )
        self._kept: OrderedDict[int, Array] = OrderedDict()
        self._room = max(MAX_CACHED_BYTES // max(nbytes, 1), 1) if self._keeps else 0
        self._absent: Array | None = None
        self._lock = threading.Lock()

    @property
    def grid(self) -> tuple[int, int]:
        """Segments along y and x."""
        return -(-self.shape[0] // self.size[0]), -(-self.shape[1] // self.size[1])

    def read(self, box: Box, out: Array) -> Iterator[tuple[Box, TileError | None]]:
        """Fill `out` (y, x, sample) with `box`; yields boxes that were not filled: absent (None) or broken (error)."""
        height, width = self.size
        buffer = None
        for piece in box.cut(self.size):
            if not piece.size:
                continue
            row, column = piece.start[0] // height, piece.start[1] // width
            target = out[piece.shift((-box.start[0], -box.start[1])).slices]
            inner = piece.shift((-row * height, -column * width)).slices
            for plane in range(self._planes):
                index = (plane * self.grid[0] + row) * self.grid[1] + column
                try:
                    buffer = self._segment(index)
                    if buffer is not None:
                        self._copy(buffer[inner], target, plane)
                except TileError as error:
                    yield piece, error
                    break
                if buffer is None:
                    yield piece, None
                    break

    @property
    def has_whole_tiles(self) -> bool:
        """Whether a tile has all samples of its pixels; strips, which cross whole pages, are no tiles."""
        return self._tiled and self._planes == 1

    def tile(self, box: Box) -> Array | None:
        """One tile, clipped by the page: (y, x, sample), until this thread decodes the next; None for an absent one.

        Raises TileError where it cannot be decoded."""
        pixels = self._segment(box.start[0] // self.size[0] * self.grid[1] + box.start[1] // self.size[1])
        if pixels is None:
            return None
        if pixels.shape[:2] != box.shape:
            pixels = pixels[: box.shape[0], : box.shape[1]]
            self._check_shape(pixels, box.shape)
        return pixels

    def absent(self, box: Box) -> list[Box]:
        """The parts of `box` whose tiles have no offset or no bytes in the file."""
        if self._absent is None:
            count = self.grid[0] * self.grid[1] * self._planes
            gaps = (np.asarray(self._offsets[:count]) == 0) | (np.asarray(self._counts[:count]) == 0)
            self._absent = gaps.reshape(self._planes, *self.grid).any(0)
        return absent_boxes(self._absent, self.size, box) if self._absent.any() else []

    def behind_end(self) -> Array:
        """Whether each segment of the grid (y, x) is stated to lie, in part, behind the end of the file."""
        grid = (self._planes, *self.grid)
        offsets, counts = (table[: math.prod(grid)] for table in (self._offsets, self._counts))
        return np.asarray(behind_end(offsets, counts, os.fstat(self._fd).st_size).reshape(grid).any(0))

    def _copy(self, pixels: Array, target: Array, plane: int) -> None:
        self._check_shape(pixels, target.shape)
        if self._planes == 1:
            target[...] = pixels
        else:
            target[..., plane] = pixels[..., 0]

    def _check_shape(self, pixels: Array, shape: tuple[int, ...]) -> None:
        if pixels.shape[:2] != shape[:2]:
            raise TileError(f"{self._name}: a tile is {pixels.shape[:2]} where {shape[:2]} pixels are expected")

    def _segment(self, index: int) -> Array | None:
        offset, count = int(self._offsets[index]), int(self._counts[index])
        if not offset or not count:
            return None
        if self._room:
            with self._lock:
                if index in self._kept:
                    self._kept.move_to_end(index)
                    return self._kept[index]
        there = max(0, min(count, os.fstat(self._fd).st_size - offset))  # a table may state any number of bytes
        data = os.pread(self._fd, there, offset) if there else b""
        if len(data) < count:
            raise TileError(
                f"{self._name}: the file ends inside tile {index} ({len(data)} of {count} bytes are there); "
                "it is cut short. Copy it again.",
                "E_TRUNCATED",
            )
        try:
            pixels = self._decode(data, index)
        except TileError:
            raise
        except Exception as error:  # decoders raise whatever they like on damaged bytes
            raise TileError(
                f"{self._name}: tile {index} cannot be decoded ({type(error).__name__}: {error})"
            ) from error
        if self._room:
            with self._lock:
                self._kept[index] = pixels
                while len(self._kept) > self._room:
                    self._kept.popitem(last=False)
        return pixels

    def _jpeg(self, key: Any) -> Callable[[bytes, int], Array]:
        """Fast decoder: libjpeg-turbo, into planes of this thread; it refuses damaged streams."""
        import cv2
        from imagecodecs import jpeg8_decode
        from tifffile.tifffile import jpeg_decode_colorspace

        space, out_space = jpeg_decode_colorspace(
            key.photometric, key.planarconfig, key.extrasamples, self._holds_ycbcr()
        )
        tables = self._tables
        space = None if self._contiguous == 1 else space  # a plane has no colours
        strict = strict_decoder(tables, space, self._contiguous) if out_space in (None, _GREY, _RGB) else None
        local = threading.local()

        def decode(data: bytes, index: int) -> Array:
            if data.rfind(b"\xff\xd9") < 0:
                raise TileError(f"{self._name}: the JPEG of tile {index} stops before its end", "E_TRUNCATED")
            stored = jpeg_size_of_tile(data)
            if stored is None or stored[0] > 2 * self.size[0] or stored[1] > 2 * self.size[1]:
                raise TileError(
                    f"{self._name}: the JPEG of tile {index} is {stored} pixels in a tile of {self.size}", "E_BOMB"
                )
            if strict is None:
                pixels: Array = jpeg8_decode(data, tables=tables, colorspace=space, outcolorspace=out_space)
            else:
                fits = stored == self.size and not self._keeps  # else the pixels need memory of their own
                try:
                    if fits and getattr(local, "pixels", None) is None:
                        local.pixels = np.empty((*self.size, self._contiguous), np.uint8)
                    pixels = strict(data, local.pixels) if fits else strict(data)
                except ValueError as error:  # OpenSlide is not asked: it has the same libjpeg
                    raise TileError(
                        f"{self._name}: the JPEG of tile {index} is damaged ({error})", "E_DAMAGED_TILE"
                    ) from error
            if pixels.ndim == 2:
                return pixels[..., None]
            if stored != self.size or self._contiguous != 3 or self._keeps:  # what is kept has no buffer
                return pixels
            if getattr(local, "planes", None) is None:
                local.whole = np.empty((3, *self.size), np.uint8)
                local.planes = list(local.whole)
            cv2.split(pixels, local.planes)  # into planes, as they will be kept, while the tile is in the cache
            planes: Array = local.whole
            return planes.transpose(1, 2, 0)

        return decode

    def _holds_ycbcr(self) -> bool:
        """By the first tile that exists."""
        there = ((int(o), int(n)) for o, n in zip(self._offsets, self._counts, strict=False))
        offset, count = next(((o, n) for o, n in there if o and n), (0, 0))
        return bool(count) and says_ycbcr(os.pread(self._fd, min(count, _HEAD), offset))

    def _any(self, key: Any) -> Callable[[bytes, int], Array]:
        """Decoder for every compression that tifffile supports."""
        tables, header, decoder = self._tables, key.jpegheader, key.decode
        extra = {"jpegtables": tables, "jpegheader": header} if int(key.compression) in _JPEG_TABLES else {}
        is_picture = int(key.compression) in _PICTURES  # other bytes may begin as a picture does by chance

        def decode(data: bytes, index: int) -> Array:
            if is_picture:
                self._check_stated((header or b"") + data, index)
            pixels = decoder(data, index, **extra)[0]
            if pixels is None:
                raise TileError(f"{self._name}: tile {index} decodes to nothing")
            return np.asarray(pixels[0])

        return decode

    def _check_stated(self, picture: bytes, index: int) -> None:
        """Raise TileError for a picture that states no size, or a far larger one than its tile."""
        try:
            stated = stated_size(picture)
        except TileError as error:
            raise TileError(f"{self._name}: tile {index} is damaged: {error.message}", error.code) from error
        if stated is None:
            raise TileError(f"{self._name}: tile {index} does not begin like a picture; it is damaged", "E_MALFORMED")
        if stated[0] > 2 * self.size[0] or stated[1] > 2 * self.size[1]:
            raise TileError(
                f"{self._name}: the picture of tile {index} is {stated} pixels in a tile of {self.size}", "E_BOMB"
            )

    def _is_plain(self, key: Any) -> bool:
        """Whether the strips are uncompressed samples of whole bytes, all in the file, one behind the other.

        tifffile's `is_contiguous` is that of the first page of several, and true of a single strip even where it is absent.
        """
        bits = 8 * self.dtype.itemsize
        if (int(key.compression), int(key.predictor), int(key.fillorder), int(key.bitspersample)) != (1, 1, 1, bits):
            return False
        offsets, counts = (np.asarray(table, np.int64) for table in (self._offsets, self._counts))
        total = self._planes * self.shape[0] * self.shape[1] * self._contiguous * self.dtype.itemsize
        fits = counts.sum() == total or (len(counts) == 1 and counts[0] > total)  # one strip may be padded
        return bool(fits and (offsets != 0).all() and (offsets[:-1] + counts[:-1] == offsets[1:]).all())

    def _raw(self, key: Any) -> Callable[[bytes, int], Array]:
        """Uncompressed rows: cut anew into strips of a few rows, however large the file's own strips are."""
        stored = np.dtype(key.parent.byteorder + key.dtype.char)
        row = self.shape[1] * self._contiguous * stored.itemsize
        self.size = (min(_ROWS, self.shape[0]), self.shape[1])
        start, length = int(self._offsets[0]), self.shape[0]
        firsts = range(0, length, self.size[0])
        self._offsets = [start + (p * length + y) * row for p in range(self._planes) for y in firsts]
        self._counts = [min(self.size[0], length - y) * row for _ in range(self._planes) for y in firsts]

        def decode(data: bytes, index: int) -> Array:
            pixels = np.frombuffer(data, stored).reshape(-1, self.shape[1], self._contiguous)
            return pixels.astype(self.dtype, copy=False)

        return decode
