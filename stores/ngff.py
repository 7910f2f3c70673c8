"""NGFF metadata and frames: conversion between positions at pixel centres (NGFF) and at cell edges (Frame).

```text
Frame   |--0--|--1--|   cell 0 starts at origin
NGFF       *     *      pixel 0 lies at translation, its centre, counted from the centre of the finest pixel 0
```
So translation = origin + (spacing - reference) / 2, where reference is the spacing of the image's finest level: 0 for the
finest level itself and (2^l - 1) / 2 finest pixels for its l-th halving, as other writers of the standard do.
Volumes lie in their scanner's coordinates, where a position is a cell's centre: their reference is 0, so that translation is
the centre of cell 0 there, and their axes state their anatomical orientation (RFC-4). Labels and layers use their image's
reference, which keeps them in register. Lengths are written in micrometres and read in the unit that is stated. Writing and
reading keeps spacings exactly, and origins that are multiples of 1e-6 um.

An oblique volume is turned against its scanner, and NGFF 0.5 has no rotation: scale and translation give the place of its first
voxel and the size of all. Its affine stands beside them in our own attributes, in the form that the proposals for 0.6 have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import SlideError
from .anatomy import orientation_of
from .frame import Frame
from .placement import Affine, affine_from_cells

NGFF_VERSION = "0.5"
OWN_KEY = "tile_engine"
"""Key of tile-engine's own attributes, beside the standard's `ome`."""
TRANSFORMS = "coordinateTransformations"

MICROMETRES = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "decimeter": 1e5,
    "meter": 1e6,
    "inch": 25400.0,
}
"""Length of one unit in micrometres, by its UDUNITS-2 name."""
SYMBOLS = {"å": 1e-4, "nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4}
"""The same by symbols, which the standard does not allow and writers use: both signs for micro among them."""


DOWNSCALING = {
    True: ("local mean", "Every pixel is the mean of the pixels under it in the level before."),
    False: ("nearest", "Every pixel is the first of the pixels under it in the level before."),
}
"""Whether values are averaged -> type and description of how coarser levels were made."""


def multiscales(
    frames: Sequence[Frame],
    *,
    name: str,
    channels: bool = True,
    reference: Sequence[float] | None = None,
    nearest: bool = False,
) -> list[dict[str, Any]]:
    """The `multiscales` value for levels "0", "1", ... with these frames, finest first.

    Coarser levels of labels, which have no channels, and of images that are `nearest` hold values of finer ones, others means.
    """
    reference = tuple(reference or frames[0].spacing)
    lead_axis = [{"name": "c", "type": "channel"}] if channels else []
    in_scanner = len(reference) == 3 and not any(reference)
    axes = lead_axis + [
        {"name": a, "type": "space", "unit": "micrometer", **(orientation_of(a) if in_scanner else {})}
        for a in frames[0].axes
    ]
    lead = [0.0] if channels else []
    datasets = []
    for level, frame in enumerate(frames):
        shift = [o + (s - r) / 2 for o, s, r in zip(frame.origin, frame.spacing, reference, strict=True)]
        transforms = [
            {"type": "scale", "scale": [1.0 for _ in lead] + list(frame.spacing)},
            {"type": "translation", "translation": lead + shift},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    kind, description = DOWNSCALING[channels and not nearest]
    made = {"type": kind, "metadata": {"method": "tile-engine", "description": description}} if len(frames) > 1 else {}
    return [{"name": name, "axes": axes, "datasets": datasets, **made}]


def affine_transform(matrix: Any) -> dict[str, Any]:
    """A 4 x 4 matrix from cells (z, y, x) of level 0 to micrometres (z, y, x) in the scanner, as NGFF 0.6 proposes it."""
    return {
        "type": "affine",
        "input": "0",
        "output": "scanner (Superior, Anterior, Right), micrometer",
        "affine": [[float(value) for value in row] for row in matrix[:3]],
    }


def stored_affine(attributes: Mapping[str, Any]) -> Affine:
    """The canonical affine of an oblique volume in our own attributes; empty where there is none.

    Raises SlideError (E_NGFF) where it is no affine.
    """
    ours = attributes.get(OWN_KEY)
    transforms = ours.get(TRANSFORMS) if isinstance(ours, Mapping) else None
    if not transforms:
        return ()
    try:
        return affine_from_cells(transforms[0]["affine"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SlideError(
            f"the affine in its attributes cannot be understood ({error}); write it again.", "E_NGFF"
        ) from error


def frames_of(
    attributes: Mapping[str, Any], shapes: Sequence[Sequence[int]], reference: Sequence[float] | None = None
) -> tuple[list[str], tuple[Frame, ...]]:
    """Axis names (all of them) and one frame of the spatial axes per level, from the attributes of a group.

    `shapes` are the full shapes of the level arrays. Understands 0.4 (at the root) and 0.5 (under "ome"), units, and
    transformations of the dataset and of the whole multiscale; a dataset without any is as much coarser as its
    shape says; an axis whose unit is no length (see `unknown_units`) counts in micrometres. Raises SlideError (E_NGFF) for
    invalid metadata.
    """
    meta = attributes.get("ome", attributes)
    try:
        image = meta["multiscales"][0]
        axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes", "tczyx")]
        names = [str(axis["name"]) for axis in axes]
        space = [
            i for i, axis in enumerate(axes) if axis.get("type", "space" if axis["name"] in "zyx" else "") == "space"
        ]
        unit = [_unit(axes[i]) for i in space]
        outer = _transform(image.get("coordinateTransformations", []), len(names))
        frames: list[Frame] = []
        for dataset, shape in zip(image["datasets"], shapes, strict=True):
            inner = _transform(dataset.get("coordinateTransformations", []), len(names))
            if not dataset.get("coordinateTransformations"):  # as before 0.4: the shapes tell
                inner = [float(f) for f in factors_of(shapes[0], shape)], inner[1]
            scale = [inner[0][i] * outer[0][i] * u for i, u in zip(space, unit, strict=True)]
            shift = [(inner[1][i] * outer[0][i] + outer[1][i]) * u for i, u in zip(space, unit, strict=True)]
            reference = tuple(reference or scale)
            origin = [round(t - (s - r) / 2, 9) + 0.0 for t, s, r in zip(shift, scale, reference, strict=True)]
            frames.append(
                Frame(tuple(names[i] for i in space), tuple(int(shape[i]) for i in space), tuple(scale), tuple(origin))
            )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SlideError(
            f"the multiscales metadata cannot be understood ({type(error).__name__}: {error}); "
            "check the store with an OME-NGFF validator.",
            "E_NGFF",
        ) from error
    return names, tuple(frames)


def factors_of(finest: Sequence[int], level: Sequence[int]) -> list[float]:
    """How many times coarser a level is along each axis: the whole number that fits by floor or ceil, else the ratio.

    >>> factors_of((3, 301, 200), (3, 150, 80))
    [1.0, 2.0, 2.5]
    """
    factors = []
    for n, m in zip(finest, level, strict=True):
        k = round(n / m)
        factors.append(float(k) if k and m in (n // k, -(-n // k)) else n / m)
    return factors


PRIMARIES = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}


def omero(
    channels: int, dtype: str, names: Sequence[str] = (), windows: Sequence[tuple[float, float]] = ()
) -> dict[str, Any]:
    """Rendering hints: red, green and blue for three channels, white for one, windows that are in use or over the type's range.

    With `names` that end in a colour, such as "HE red", each channel has its name and colour. Of many channels, as of
    embeddings, the first three are shown.
    """
    import numpy as np

    primaries = list(PRIMARIES.items()) if channels == 3 else []
    wheel = ["FFFFFF"] if channels == 1 else ["00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF"]
    coloured = [*primaries, *((f"channel {i}", wheel[i % len(wheel)]) for i in range(len(primaries), channels))]
    if names:
        coloured = [(name, PRIMARIES[name.rpartition(" ")[2]]) for name in names]
    is_whole = np.issubdtype(np.dtype(dtype), np.integer)
    kind = np.iinfo(dtype) if is_whole and np.dtype(dtype).itemsize <= 2 else None
    in_use = windows or [(float(kind.min), float(kind.max)) if kind else (0.0, 1.0)] * channels
    shown = 3 if names or channels > len(wheel) else channels
    return {
        "channels": [
            {
                "label": label,
                "color": color,
                "active": i < shown,
                "window": {
                    "min": float(kind.min) if kind else low,
                    "max": float(kind.max) if kind else high,
                    "start": low,
                    "end": high,
                },
            }
            for i, ((label, color), (low, high)) in enumerate(zip(coloured, in_use, strict=True))
        ]
    }


def unknown_units(attributes: Mapping[str, Any]) -> list[str]:
    """Units of the spatial axes of a group's first image that are no lengths, such as "pixel"; "" and null count as absent."""
    axes = attributes.get("ome", attributes)["multiscales"][0].get("axes", "tczyx")
    space = [axis for axis in axes if isinstance(axis, dict) and axis.get("name") in ("z", "y", "x")]
    return sorted({str(axis["unit"]) for axis in space if axis.get("unit") and _length(axis["unit"]) is None})


def _unit(axis: Mapping[str, Any]) -> float:
    return _length(axis.get("unit") or "micrometer") or 1.0


def _length(unit: Any) -> float | None:
    """Micrometres in a unit, by its UDUNITS-2 name, its plural or its symbol; None if it is no length."""
    name = str(unit).strip().lower().replace("metre", "meter")
    return MICROMETRES.get(name) or MICROMETRES.get(name.removesuffix("s")) or SYMBOLS.get(name)


def _transform(transforms: Sequence[Mapping[str, Any]], axes: int) -> tuple[list[float], list[float]]:
    """Scale and translation of a list of transformations, applied in order."""
    scale, shift = [1.0] * axes, [0.0] * axes
    for transform in transforms:
        if transform["type"] == "scale":
            scale = [a * float(b) for a, b in zip(scale, transform["scale"], strict=True)]
            shift = [a * float(b) for a, b in zip(shift, transform["scale"], strict=True)]
        elif transform["type"] == "translation":
            shift = [a + float(b) for a, b in zip(shift, transform["translation"], strict=True)]
        elif transform["type"] != "identity":
            raise ValueError(f"transformation {transform['type']!r} is not known here")
    return scale, shift
