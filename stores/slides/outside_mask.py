"""Outside mask: a tissue mask that another program made, as an image over the whole slide or as GeoJSON outlines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..foreign import foreign
from ..frame import Array
from ..regular import open_regular, read_regular
from .tiff_chain import check_directories

IMAGES = (".png", ".tif", ".tiff")
OUTLINES = (".geojson", ".json")
SUFFIXES = (*IMAGES, *OUTLINES)
MAX_RATIO = 0.01
"""Largest difference of two aspect ratios of one slide, beside a pixel of rounding on each side of the mask."""
MAX_PIXELS = 1 << 28
MAX_SAMPLES = 4
"""Samples of a pixel."""
MAX_OUTSIDE = 0.01
"""Share of the slide's side by which an outline may reach over its edge."""

Polygon = list[Array]
"""Rings (n, 2) of x, y in pixels of level 0: the outer one, then its holes."""


def read_outside_mask(
    path: Path, native_shape: tuple[int, ...], shape: tuple[int, ...], corner: tuple[int, ...] = ()
) -> Array:
    """The mask on a grid of `shape` cells (y, x) that covers the whole slide, bool; `native_shape`: pixels of level 0.

    Outlines count from the pixel `corner` (y, x), as QuPath does on slides whose scanned area is smaller than the canvas.

    Raises SlideError: E_MASK where the file holds no mask, E_OTHER_MASK where it is a mask of another slide.
    """
    if path.suffix.lower() in OUTLINES:
        return _drawn(list(_outlines(path, native_shape, corner)), native_shape, shape)
    values = _image(path)
    _check_ratio(path, values.shape, native_shape)
    return _stretched(values, shape)


def check_outside_mask(path: Path, native_shape: tuple[int, ...], corner: tuple[int, ...] = ()) -> None:
    """Raises SlideError where `read_outside_mask` would; of an image only the header is read."""
    if path.suffix.lower() in OUTLINES:
        list(_outlines(path, native_shape, corner))
    else:
        _check_ratio(path, image_shape(path), native_shape)


def _check_ratio(path: Path, mask: tuple[int, ...], slide: tuple[int, ...]) -> None:
    """Whether the mask has the slide's aspect ratio, but for the rounding of its sides."""
    if 0 in mask:
        raise SlideError(f"its tissue mask {path.name} has {mask[1]} x {mask[0]} pixels. Export it again.", "E_MASK")
    off = abs(mask[0] * slide[1] / (mask[1] * slide[0]) - 1)
    if off > MAX_RATIO + 1 / mask[0] + 1 / mask[1]:
        raise SlideError(
            f"its tissue mask {path.name} has {mask[1]} x {mask[0]} pixels, the slide {slide[1]} x {slide[0]}: another aspect "
            "ratio, so it is not a mask of the whole slide. Export a mask of the whole slide, or GeoJSON.",
            "E_OTHER_MASK",
        )


def image_shape(path: Path) -> tuple[int, int]:
    with _named_problems(path):
        if path.suffix.lower() == ".png":
            from PIL import Image

            with open_regular(path) as file, Image.open(file) as picture:
                return picture.height, picture.width
        import tifffile

        check_directories(path)
        with open_regular(path) as file, tifffile.TiffFile(file) as tiff:
            page = tiff.series[0].keyframe
            return page.imagelength, page.imagewidth


def _image(path: Path) -> Array:
    """Which pixels of the image differ from zero, bool (y, x); an alpha channel does not count."""
    height, width = image_shape(path)
    if height * width > MAX_PIXELS:
        raise SlideError(
            f"its tissue mask {path.name} has {width} x {height} pixels, more than can be read at once ({MAX_PIXELS}). "
            "Export it at a coarser resolution.",
            "E_MASK",
        )
    with _named_problems(path):
        if path.suffix.lower() == ".png":
            values = _png(path)
        else:
            import tifffile

            with open_regular(path) as file, tifffile.TiffFile(file) as tiff:
                if tiff.series[0].size > MAX_SAMPLES * height * width:
                    raise ValueError(f"it has the axes {tiff.series[0].shape}, not rows and columns")
                values = np.squeeze(tiff.series[0].asarray())
                if values.ndim == 3 and values.shape[:2] != (height, width):  # planes before rows
                    values = np.moveaxis(values, 0, -1)
        if values.ndim == 3:
            values = np.asarray(values[..., : 1 if values.shape[-1] == 2 else 3].any(-1))
        if values.shape != (height, width):
            raise ValueError(f"it has the axes {values.shape}, not rows and columns")
    return np.asarray(values != 0)


def _png(path: Path) -> Array:
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
    try:
        with open_regular(path) as file, Image.open(file) as picture:
            return np.asarray(picture)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _stretched(mask: Array, shape: tuple[int, ...]) -> Array:
    """The mask at another size: a cell is tissue where at least half of its area is."""
    for axis, size in enumerate(shape):
        sums = np.cumsum(np.moveaxis(mask, axis, 0), axis=0, dtype=np.float32 if mask.dtype == bool else mask.dtype)
        edges = np.linspace(0, len(sums), size + 1)
        table = np.concatenate([np.zeros((1, *sums.shape[1:]), sums.dtype), sums])
        low = np.minimum(edges.astype(int), len(sums) - 1)
        part = (edges - low).astype(np.float32).reshape(-1, *(1,) * (table.ndim - 1))
        at = table[low] * (1 - part) + table[low + 1] * part
        mask = np.moveaxis(np.diff(at, axis=0) * np.float32(size / len(sums)), 0, axis)
    return np.asarray(mask >= 0.5 - 1e-3)


def _outlines(path: Path, slide: tuple[int, ...], corner: tuple[int, ...]) -> Iterator[Polygon]:
    """The polygons of a GeoJSON file; points and lines have no area and do not count."""
    shift = np.array(corner[::-1] or (0, 0), float)
    with _named_problems(path):
        found = [
            [np.asarray(ring, float)[:, :2] + shift for ring in polygon]
            for polygon in _polygons(json.loads(read_regular(path)))
            if polygon and all(map(len, polygon))
        ]
    if not found:
        raise SlideError(f"its tissue mask {path.name} holds no polygon. Export the tissue as polygons.", "E_MASK")
    for polygon in found:
        low, high = polygon[0].min(0), polygon[0].max(0)
        size = np.array(slide[::-1], float)
        if (
            not np.isfinite(low + high).all()
            or (low < -MAX_OUTSIDE * size).any()
            or (high > (1 + MAX_OUTSIDE) * size).any()
        ):
            raise SlideError(
                f"its tissue mask {path.name} reaches from ({low[0]:g}, {low[1]:g}) to ({high[0]:g}, {high[1]:g}), the slide "
                f"from (0, 0) to ({slide[1]}, {slide[0]}): it is of another slide, or not in pixels of level 0. Export the "
                "outlines in full-resolution pixels, as QuPath does.",
                "E_OTHER_MASK",
            )
        yield polygon


def _polygons(value: Any) -> Iterator[Any]:
    """Coordinates of all polygons of a GeoJSON value: a collection, a feature, a geometry, or a list of them."""
    if isinstance(value, list):
        for one in value:
            yield from _polygons(one)
    elif value is not None:
        kind = value["type"]
        if kind == "Polygon":
            yield value["coordinates"]
        elif kind == "MultiPolygon":
            yield from value["coordinates"]
        else:
            inside = {"FeatureCollection": "features", "Feature": "geometry", "GeometryCollection": "geometries"}
            if kind in inside:
                yield from _polygons(value[inside[kind]])


def _drawn(polygons: list[Polygon], native_shape: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """The cells whose centre lies in a polygon and in none of its holes."""
    from skimage.draw import polygon as cells

    mask = np.zeros(shape, bool)
    scale = np.array(shape[::-1]) / np.array(native_shape[::-1])
    for outer, *holes in polygons:
        own = np.zeros(shape, bool)
        for ring, value in ((outer, True), *((hole, False) for hole in holes)):
            x, y = (ring * scale - 0.5).T
            own[cells(y, x, shape)] = value
        mask |= own
    return mask


def _named_problems(path: Path) -> AbstractContextManager[None]:
    """Context in which a mask's file is read: every problem of it is a SlideError that names the file."""
    text = f"its tissue mask {path.name} cannot be read"
    return foreign(lambda why: SlideError(f"{text} ({why}). Give a PNG, a TIFF or GeoJSON.", "E_MASK"))
