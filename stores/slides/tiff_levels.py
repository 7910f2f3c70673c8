"""TIFF levels: the pages of a TIFF that form its pyramid, and its stated spacing. Labels and macros are never read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ...errors import SlideError
from .pixels import level_factor
from .spacing import FROM_FILE, RESOLUTION_UNITS, UNITS, Stated, from_resolution, parse_number
from .tiff_images import chosen_series, levels_of

MAX_TIFF_SIDE = 2**31
"""Pixels along one side; beyond it a header is malformed."""
MAX_TIFF_LEVELS = 32


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The pages that make one image at several sizes."""

    levels: tuple[tuple[Any, ...], ...]
    """tifffile pages of each level, finest first: one page, or one for each channel."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) of each level."""
    stated: tuple[Stated, ...]
    notes: tuple[str, ...]


def pyramid_of(tif: Any, name: str, part: str = "") -> Pyramid:
    """The pyramid of an open `tifffile.TiffFile`: of its largest image, or of the image `part`.

    Raises SlideError if there is no usable one.
    """
    if not tif.series:
        raise SlideError(f"{name}: is a TIFF without any image.", "E_UNREADABLE")
    number, notes = chosen_series(tif.series, part, name)
    series = tif.series[number]
    levels: list[tuple[Any, ...]] = []
    shapes: list[tuple[int, int]] = []
    found = sorted(levels_of(tif.series, number), key=lambda one: -one.keyframe.imagelength)[:MAX_TIFF_LEVELS]
    first = series.levels[0].keyframe if part else found[0].keyframe
    for level in found:
        page = level.keyframe
        shape = (int(page.imagelength), int(page.imagewidth))
        if not (min(shape) > 0 and max(shape) < MAX_TIFF_SIDE):
            raise SlideError(f"{name}: a level claims to be {shape[1]} x {shape[0]} pixels.", "E_MALFORMED")
        if shapes and not _same_image(first, page, shapes, shape):
            notes.append(f"a page of {shape[1]} x {shape[0]} pixels is no level of the pyramid and is not read")
            continue
        pages, plane_notes = _planes(level, name)
        levels.append(pages)
        shapes.append(shape)
        notes.extend(note for note in plane_notes if note not in notes)
    orientation = int(getattr(first.tags.get("Orientation"), "value", 1) or 1)
    if orientation != 1:
        notes.append(f"the orientation tag says {orientation}; pixels are kept as they are stored")
    if len(levels) == 1 and max(shapes[0]) > 16384:
        notes.append("there is no pyramid: coarse views read the whole finest level")
    return Pyramid(tuple(levels), tuple(shapes), _stated(tif, first, number), tuple(notes))


def _same_image(first: Any, page: Any, shapes: list[tuple[int, int]], shape: tuple[int, int]) -> bool:
    """A level is smaller, of the same proportions and the same kind of pixels."""
    alike = (page.samplesperpixel, page.bitspersample, page.photometric, page.planarconfig) == (
        first.samplesperpixel,
        first.bitspersample,
        first.photometric,
        first.planarconfig,
    )
    y, x = level_factor(shapes[0], shape)
    slack = 1 / min(shape) + 0.01
    smaller = shape != shapes[-1] and all(a <= b for a, b in zip(shape, shapes[-1], strict=True))
    return alike and smaller and abs(y / x - 1) <= slack


def _planes(level: Any, name: str) -> tuple[tuple[Any, ...], list[str]]:
    """The pages of one level: all channels, of the first time point and the middle focus plane."""
    page_axes = level.keyframe.axes
    axes, shape = level.axes, level.shape
    stack = _one_directory(level) if len(level.pages) == 1 else None
    if (len(level.pages) == 1 and stack is None) or not axes.endswith(page_axes):
        return (_present(level.pages[0], name),), []
    axes, shape = axes[: len(axes) - len(page_axes)], shape[: len(shape) - len(page_axes)]
    notes, picks = [], [(0,)]
    for axis, size in zip(axes, shape, strict=True):
        if axis == "C":
            indices: range | tuple[int, ...] = range(size)
        else:
            indices = (size // 2,) if axis == "Z" else (0,)
            if size > 1:
                words = {"Z": "focus planes", "T": "time points"}.get(axis, f"planes along {axis}")
                notes.append(f"{size} {words}; number {indices[0]} (from 0) is read")
        picks = [(p[0] * size + i,) for p in picks for i in indices]
    if stack is not None:
        notes.append("one directory for all planes: the others are read from behind the first")
        return tuple(stack.plane(p[0]) for p in picks), notes
    return tuple(_present(level.pages[p[0]], name) for p in picks), notes


@dataclass(frozen=True, slots=True)
class _Plane:
    """A plane without a directory of its own, as a page."""

    keyframe: Any
    dataoffsets: tuple[int, ...]
    databytecounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Stack:
    """Planes that lie one behind the other, uncompressed, under the directory of the first: ImageJ writes so above 4 GB."""

    keyframe: Any
    offset: int

    def plane(self, number: int) -> _Plane:
        size = int(self.keyframe.nbytes)
        return _Plane(self.keyframe, (self.offset + number * size,), (size,))


def _one_directory(level: Any) -> _Stack | None:
    """The planes of a level that declares several and has one page; None for every other level."""
    page = level.pages[0]
    if page is None or level.dataoffset is None or int(level.nbytes) <= int(page.nbytes):
        return None
    contiguous = not page.is_tiled and int(page.compression) == 1 and page.is_contiguous
    return _Stack(page.keyframe, int(level.dataoffset)) if contiguous else None


def _present(page: Any, name: str) -> Any:
    if page is None:
        raise SlideError(
            f"{name}: part of the image lies in other files that its OME metadata names and that are not read; "
            "give a TIFF that holds the whole image.",
            "E_MISSING_COMPANION",
        )
    return page


def _stated(tif: Any, page: Any, number: int) -> tuple[Stated, ...]:
    """Spacings that the file states: its metadata first, then the resolution tags."""
    description = str(page.description or "")
    found = []
    if tif.is_ome:
        found.append(_ome(tif.ome_metadata, number, (int(page.imagelength), int(page.imagewidth))))
    elif description.startswith("Aperio"):
        match = re.search(r"\|\s*MPP\s*=\s*([^|\r\n]*)", description)
        mpp = parse_number(match.group(1)) if match else None
        found.append(Stated(mpp, mpp, FROM_FILE))
    unit = RESOLUTION_UNITS.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 2) or 2))
    if tif.is_imagej:
        unit = UNITS.get(str((tif.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ").lower())
    y, x = (_ratio(page.tags.get(tag)) for tag in ("YResolution", "XResolution"))
    return (*found, from_resolution(y, x, unit))


def _ratio(tag: Any) -> float | None:
    value = getattr(tag, "value", None)
    if isinstance(value, tuple) and len(value) == 2:
        return float(value[0]) / float(value[1]) if value[1] else None
    return float(value) if isinstance(value, int | float) else None


def _ome(xml: str | None, number: int, shape: tuple[int, int]) -> Stated:
    """PhysicalSizeY and X of an image of an OME-XML, with their units; a micrometre is the standard's default.

    The image is the one of this number, if it has this shape, else the first that has it, else the first.
    """
    try:
        root = ElementTree.fromstring(xml or "")
    except ElementTree.ParseError:
        return Stated(None, None, FROM_FILE)
    images = [e for e in root.iter() if e.tag.rsplit("}", 1)[-1] == "Pixels"]
    if not images:
        return Stated(None, None, FROM_FILE)
    sized = [e for e in images if (e.get("SizeY"), e.get("SizeX")) == tuple(map(str, shape))]
    pixels = images[number] if number < len(images) and images[number] in sized else (sized or images)[0]
    lengths, unknown = [], ""
    for axis in "YX":
        size, name = parse_number(pixels.get(f"PhysicalSize{axis}")), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        unit = UNITS.get(name.lower().removeprefix("â"))  # µ in UTF-8 that was read as Latin-1
        unknown = name if size is not None and unit is None else unknown
        lengths.append(size * unit if size and unit else None)  # 0 is what writers put where they know none
    return Stated(lengths[0], lengths[1], FROM_FILE, unknown)
