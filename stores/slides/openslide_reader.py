"""OpenSlide reader. An OpenSlide handle stays unusable after an error, so it is reopened, once per read."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box
from .companions import is_vsi
from .file_head import head_of, kind_of
from .named_files import check_named_files
from .pixels import SlideDescription, check_one_image, level_factor
from .spacing import FROM_FILE, FROM_RESOLUTION, Stated, parse_number
from .tiff_cut import check_tiles

_BLOCK_SIDE = 1024
"""Side of the fixed blocks in which levels with a fractional downsample are read, in pixels."""
MAX_TILE_BYTES = 2**30
"""Largest size of a tile in bytes, as RGBA: OpenSlide ends the process where it cannot have the memory for one."""
_ABSENT_WORDS = (
    "no such file",
    "couldn't open",
    "can't open",
    "could not open",
    "couldn't find",
    "can't find",
    "does not exist",
)
_VENDORS_OF_SEVERAL_FILES = ("mirax", "hamamatsu", "dicom", "zeiss")
_COMPANION_FILES = {".mrxs": "Slidedat.ini and its .dat files in the folder of the same name", ".vms": "its .jpg files"}


def vendor_of(path: Path) -> str:
    """Vendor of the file as OpenSlide detects it; empty if it does not know the file."""
    import openslide

    try:
        return str(openslide.OpenSlide.detect_format(str(path)) or "")
    except (openslide.OpenSlideError, OSError, ValueError):
        return ""


def accepts(path: Path, head: bytes) -> bool:
    """Whether OpenSlide reads the file; true also for an .mrxs file without its companions, so that the error names them.

    DICOM is not given to it: it reads no slide that our reader refuses, and its parser ends the process on some damaged ones.
    """
    if not head or is_vsi(path, head) or kind_of(head) == "DICOM":
        return False
    check_named_files(path)
    return bool(vendor_of(path)) or (path.suffix.lower() == ".mrxs" and kind_of(head) in ("JPEG", "BMP", "PNG"))


class OpenSlidePixels:
    """A slide read through an OpenSlide handle that is reopened after an error."""

    def __init__(self, path: Path, part: str = "") -> None:
        """Raises SlideError, also (E_NO_PART) for a `part`: OpenSlide shows one image of each file."""
        check_one_image(path, part)
        self._path = path
        self._lock = threading.Lock()
        if path.suffix.lower() == ".mrxs" and not vendor_of(path):
            self._raise_missing_companion("Slidedat.ini", "the folder is missing or empty")
        self._handle = self._fresh()
        self._described = self._describe()

    def _fresh(self) -> Any:
        import openslide

        try:
            handle = openslide.OpenSlide(str(self._path))
        except (openslide.OpenSlideError, OSError, ValueError) as error:
            text = str(error)
            several = (
                self._path.suffix.lower() in _COMPANION_FILES or vendor_of(self._path) in _VENDORS_OF_SEVERAL_FILES
            )
            if several and any(sign in text.lower() for sign in _ABSENT_WORDS):
                self._raise_missing_companion(
                    _COMPANION_FILES.get(self._path.suffix.lower(), "a companion file"), text, error
                )
            if "main image" in text.lower():
                raise SlideError(
                    f"{self._path.name}: OpenSlide finds no brightfield image in it ({text}): fluorescence of this format is "
                    "not read by it. Export it as OME-TIFF.",
                    "E_UNSUPPORTED_PIXELS",
                ) from error
            if self._path.is_file() and kind_of(head_of(self._path)) == "TIFF":
                check_tiles(self._path)
            raise SlideError(
                f"{self._path.name}: OpenSlide cannot open it ({text}); it is damaged, cut short or of a kind that is "
                "not supported. Copy it again, or export it as a pyramidal TIFF.",
                "E_UNREADABLE",
            ) from error
        return handle

    def _raise_missing_companion(self, what: str, why: str, cause: Exception | None = None) -> None:
        raise SlideError(
            f"{self._path.name}: {what} cannot be found beside {self._path} ({why}). "
            "Such a slide is several files: copy all of them.",
            "E_MISSING_COMPANION",
        ) from cause

    def _describe(self) -> SlideDescription:
        handle = self._handle
        properties = handle.properties
        shapes = tuple((int(h), int(w)) for w, h in handle.level_dimensions)
        if not shapes or min(map(min, shapes)) < 1:
            raise SlideError(f"{self._path.name}: claims levels of {shapes} pixels (y, x).", "E_MALFORMED")
        self._downsamples = tuple(float(d) for d in handle.level_downsamples)
        colour = properties.get("openslide.background-color", "") or "FFFFFF"
        try:
            self._colour = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)], np.uint8)
        except ValueError:
            self._colour = np.full(3, 255, np.uint8)
        vendor = properties.get("openslide.vendor", "")
        y, x = (parse_number(properties.get(f"openslide.mpp-{axis}")) for axis in "yx")
        notes = [f"read through OpenSlide as {vendor}"]
        if "openslide.bounds-x" in properties:
            notes.append("the scanned area is smaller than the canvas; the rest is background")
        return SlideDescription(
            reader="openslide",
            shapes=shapes,
            factors=tuple(self._factor(shapes, level) for level in range(len(shapes))),
            channels=3,
            dtype="uint8",
            background=int(self._colour.min()),
            stated=(Stated(y, x, FROM_RESOLUTION if vendor == "generic-tiff" else FROM_FILE),),
            notes=tuple(notes),
            corner=(_whole(properties.get("openslide.bounds-y")), _whole(properties.get("openslide.bounds-x"))),
            tiles=tuple(self._tile(properties, level) for level in range(len(shapes))),
        )

    def _factor(self, shapes: tuple[tuple[int, int], ...], level: int) -> tuple[float, float]:
        """The downsample that OpenSlide states, or the whole number that fits the shapes."""
        factor = level_factor(shapes[0], shapes[level])
        downsample = self._downsamples[level]
        return factor if factor[0] == factor[1] and abs(factor[0] / downsample - 1) < 0.01 else (downsample, downsample)

    def _tile(self, properties: Any, level: int) -> tuple[int, int]:
        sides = (properties.get(f"openslide.level[{level}].tile-{side}", "256") for side in ("height", "width"))
        height, width = (int(side) if side.isdigit() and int(side) else 256 for side in sides)
        if height * width * 4 > MAX_TILE_BYTES:
            raise SlideError(
                f"{self._path.name}: its tables state tiles of {width} x {height} pixels, more than {MAX_TILE_BYTES} bytes "
                "each: they cannot be read piece by piece, or the tables are damaged. Copy it again, or write a tiled TIFF.",
                "E_TOO_BIG",
            )
        return height, width

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        if self._downsamples[level] == round(self._downsamples[level]):
            return self._block(box, level)
        # With a fractional downsample OpenSlide interpolates relative to the start of a read: fixed blocks give fixed values.
        out = np.empty((3, *box.shape), np.uint8)
        whole = Box((0, 0), self._described.shapes[level])
        for piece in box.cut((_BLOCK_SIDE, _BLOCK_SIDE)):
            corner = tuple(s // _BLOCK_SIDE * _BLOCK_SIDE for s in piece.start)
            block = Box(corner, tuple(s + _BLOCK_SIDE for s in corner)) & whole
            pixels = self._block(block, level)
            inner = piece.shift(tuple(-s for s in corner)).slices
            out[(slice(None), *piece.shift(tuple(-s for s in box.start)).slices)] = pixels[(slice(None), *inner)]
        return out

    def absent(self, box: Box, level: int) -> list[Box]:
        """Nothing: OpenSlide does not say which tiles its formats leave out."""
        return []

    def _block(self, box: Box, level: int) -> Array:
        import openslide

        handle = self._handle
        try:
            return self._pixels(handle, box, level)
        except openslide.OpenSlideError:
            handle = self._reopened(handle)
        try:
            return self._pixels(handle, box, level)
        except openslide.OpenSlideError as error:
            self._reopened(handle)  # so that the next tile does not fail
            raise TileError(
                f"{self._path.name}: OpenSlide cannot decode the pixels from {box.start} to {box.stop} (y, x) of level "
                f"{level} ({error})"
            ) from error

    def _reopened(self, broken: Any) -> Any:
        """A new handle in place of `broken`; the old one is closed when its last user releases it."""
        with self._lock:
            if self._handle is broken:
                try:
                    self._handle = self._fresh()
                except SlideError as error:
                    raise TileError(error.message) from error
            return self._handle

    def _pixels(self, handle: Any, box: Box, level: int) -> Array:
        height, width = box.shape
        if not box.size:
            return np.empty((3, height, width), np.uint8)
        scale = self._downsamples[level]
        y, x = (math.ceil(start * scale) if scale != round(scale) else start * int(scale) for start in box.start)
        rgba = np.asarray(handle.read_region((x, y), level, (width, height)))
        alpha, rgb = rgba[..., 3], rgba[..., :3]
        if int(alpha.min()) < 255:
            rgb = _over(rgb, alpha, self._colour)
        return np.moveaxis(rgb, -1, 0)

    def close(self) -> None:
        self._handle.close()


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.lstrip("-").isdecimal() else 0


def _over(rgb: Array, alpha: Array, background: Array) -> Array:
    """Straight alpha over a colour, rounded half up."""
    a = alpha.astype(np.uint32)[..., None]
    mixed: Array = (rgb * a + background.astype(np.uint32) * (255 - a) + 127) // 255
    return mixed.astype(np.uint8)
