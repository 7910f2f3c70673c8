"""stages: an affine map and a displacement field between two sections, from coarse to fine.

Both take a plane of evidence, so that a fit can be made from one half of the tissue and checked on the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .channels import Section, resized
from .matching import NODE, affine_of, affinely, blurred, cost_volume, displacements, nodes_of, positions
from .start import warped
from .transform import compose, rescaled

Array = npt.NDArray[Any]
AFFINE_LEVELS = ((8, 6), (4, 6), (4, 4), (4, 4), (2, 4), (2, 4), (2, 4))
"""(reduction, reach in pixels of the reduced picture), in turn."""
FIELD_LEVELS = ((2, 8), (1, 5), (1, 2))
AFFINE_WINDOW = 4.0
"""Standard deviation of the window around a node, in pixels of the reduced picture."""
FIELD_WINDOWS = (3.0, 6.0)
"""Fields of both windows are averaged: their errors differ."""
INVERSE_STEPS = 10
LEAST_SIDE = 48
"""Pictures are not reduced below this side: they would hold too few nodes."""


def fit_affine(fixed: Section, moving: Section, affine: Array, evidence: Array) -> Array:
    """An affine map (2, 3) from a start, both in pixels of the two sections. `evidence` (y, x): weights in [0, 1]."""
    for reduction, reach in AFFINE_LEVELS:
        if min(fixed.picture.shape) / reduction < LEAST_SIDE:
            continue
        here, there = fixed.reduced(1 / reduction), moving.reduced(1 / reduction)
        ratios = here.scale / fixed.scale, there.scale / moving.scale
        small = rescaled(affine, *ratios)
        weight = resized(evidence, 1 / reduction) * inside(there, small, here.picture.shape)
        moved = warped(there.picture, small, here.picture.shape)
        volume = cost_volume(here.picture, moved, weight, reach=reach, window=AFFINE_WINDOW)
        places = positions(here.picture.shape)
        values = displacements(volume, nodes_of(weight), affinely(places))
        small = compose(small, affine_of(values, nodes_of(weight), places))
        affine = rescaled(small, 1 / ratios[0], 1 / ratios[1])
    return affine


def fit_field(fixed: Section, moving: Section, affine: Array, evidence: Array, stiffness: float) -> Array:
    """Displacements of each pixel of `fixed`, float32 (2, y, x), before the affine map. `stiffness`: blur in nodes.

    The mean of fields from the reference to the moving section and of inverted fields from the moving section to the reference:
    chance matches of the one are not those of the other.
    """
    shape = fixed.picture.shape
    moved = replace(fixed, picture=warped(moving.picture, affine, shape), mask=warped(moving.mask, affine, shape))
    fields = []
    for window in FIELD_WINDOWS:
        fields.append(_one_way(fixed, moved, evidence, stiffness=stiffness, window=window))
        fields.append(inverted(_one_way(moved, fixed, evidence, stiffness=stiffness, window=window)))
    return np.asarray(np.mean(fields, axis=0), np.float32)


def _one_way(fixed: Section, moved: Section, evidence: Array, *, stiffness: float, window: float) -> Array:
    """The field between two sections of one grid, (2, y, x)."""
    shape = fixed.picture.shape
    field = np.zeros((2, *shape), np.float32)
    for reduction, reach in FIELD_LEVELS:
        if min(shape) / reduction < LEAST_SIDE:
            continue
        there = resized(displaced(moved.picture, field), 1 / reduction)
        here = resized(fixed.picture, 1 / reduction)
        weight = resized(evidence * (displaced(moved.mask, field) > 0), 1 / reduction)
        volume = cost_volume(here, there, weight, reach=reach, window=window)
        nodes = displacements(volume, nodes_of(weight), blurred(stiffness))
        step = dense(nodes * reduction, here.shape, shape)
        field = step + np.stack([displaced(plane, step) for plane in field])
    return field


def inverted(field: Array) -> Array:
    """The field (2, y, x) that leads back, by fixed-point steps."""
    back = -field
    for _ in range(INVERSE_STEPS):
        back = -np.stack([displaced(plane, back) for plane in field])
    return back


def inside(moving: Section, affine: Array, shape: tuple[int, ...]) -> Array:
    """Where the reference lies on the moving picture at all, float32 `shape`."""
    return warped(np.ones_like(moving.picture), affine, shape)


def dense(nodes: Array, small: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Values (2, h, w) at the nodes of a picture of shape `small` at each pixel of the picture at `shape`, float32."""
    rows, columns = (
        np.clip((((np.arange(side) + 0.5) * (less / side) - 0.5) - NODE // 2) / NODE, 0, count - 1).astype(np.float32)
        for side, less, count in zip(shape, small, nodes.shape[1:], strict=True)
    )
    x, y = np.meshgrid(columns, rows)
    return np.stack(
        [cv2.remap(plane.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for plane in nodes]
    )


def displaced(plane: Array, field: Array) -> Array:
    """A plane (y, x) pulled back by displacements (2, y, x) in pixels, bilinear; its border goes on."""
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in plane.shape[::-1]))
    return np.asarray(cv2.remap(plane, x + field[1], y + field[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
