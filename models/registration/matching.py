"""matching: displacements of a grid of nodes, from how alike the two sections are around each node under every small shift.

All shifts of a node are kept with their costs, not the best alone: a node that could lie at several places follows its
neighbours. Costs and smoothness take turns (coupled convex optimisation: Heinrich et al. 2014, MICCAI, "Non-parametric discrete
registration with convex optimisation"); what is smooth is the caller's to say: an affine map, or a blurred field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .descriptors import DESCRIPTORS

Array = npt.NDArray[Any]
Smooth = Callable[[Array, Array], Array]
"""(displacements (2, h, w), weights (h, w)) -> displacements (2, h, w)."""
NODE = 8
"""Distance of nodes in pixels; the first is at `NODE // 2`."""
STEP = 2
"""Every second pixel of a window is compared: neighbours tell nearly the same."""
COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""How strongly a node is drawn to the smooth field, in costs a squared pixel, turn by turn."""


def cost_volume(fixed: Array, moved: Array, weight: Array, *, reach: int, window: float) -> Array:
    """Costs of all shifts up to `reach` pixels along y and x, float32 ((2 * reach + 1)², h, w), at the nodes.

    `fixed` and `moved` are pictures (y, x) of one shape. `window`: standard deviation in pixels of what is compared around a
    node; it reads every second pixel along y and x. The costs of each descriptor are divided by their mean spread over the
    shifts, so that descriptors count alike.
    """
    held = np.ascontiguousarray(weight[::STEP, ::STEP], np.float32)
    rows, columns = (_windows(side, window) for side in fixed.shape)
    total = 1e-3 + rows @ held @ columns.T
    volumes: list[Array] = []
    for descriptor in DESCRIPTORS:
        here = [np.ascontiguousarray(plane[::STEP, ::STEP]) for plane in descriptor(fixed)]
        there = [cv2.copyMakeBorder(plane, *(reach,) * 4, cv2.BORDER_REPLICATE) for plane in descriptor(moved)]
        lattices = {
            (y, x): [np.ascontiguousarray(plane[y::STEP, x::STEP]) for plane in there]
            for y in range(STEP)
            for x in range(STEP)
        }
        costs = []
        for y, x in np.ndindex(2 * reach + 1, 2 * reach + 1):
            squares = np.zeros_like(held)
            top, left = y // STEP, x // STEP
            for a, b in zip(here, lattices[y % STEP, x % STEP], strict=True):
                difference: Array = a - b[top : top + len(a), left : left + a.shape[1]]
                difference *= difference
                squares += difference
            squares *= held
            costs.append(rows @ squares @ columns.T / total)
        stacked = np.stack(costs)
        evidence = nodes_of(weight)
        spread = float((stacked.std(0) * evidence).sum() / max(float(evidence.sum()), 1e-6))
        volumes.append(stacked / max(spread, 1e-9))
    return np.asarray(np.sum(volumes, axis=0), np.float32)


def _windows(side: int, window: float) -> Array:
    """Gaussian windows of the nodes over every second pixel of a side, float32 (nodes, pixels); each sums to 1."""
    centres, pixels = np.arange(NODE // 2, side, NODE), np.arange(0, side, STEP)
    values = np.exp(-0.5 * ((centres[:, None] - pixels) / window) ** 2)
    return np.asarray(values / values.sum(1, keepdims=True), np.float32)


def nodes_of(plane: Array) -> Array:
    """The values of a plane (y, x) at the nodes."""
    return np.asarray(plane[NODE // 2 :: NODE, NODE // 2 :: NODE])


def positions(shape: tuple[int, ...]) -> Array:
    """Coordinates (y, x) of the nodes of a picture, (2, h, w)."""
    rows, columns = (np.arange(NODE // 2, side, NODE, dtype=float) for side in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"))


def displacements(volume: Array, weight: Array, smooth: Smooth) -> Array:
    """Displacements of the nodes in pixels, (2, h, w), smooth. `weight` (h, w): 0 for nodes that are no evidence."""
    reach = (int(np.sqrt(len(volume))) - 1) // 2
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    shifts = np.stack(np.meshgrid(steps, steps, indexing="ij")).reshape(2, -1)
    clear = volume.std(0)  # a node of even tissue costs the same everywhere: it follows the others
    typical = float((clear * weight).sum() / max(float(weight.sum()), 1e-6))
    if typical <= 1e-9:
        return np.zeros((2, *weight.shape))
    trust = weight * clear / typical
    costs = (volume - volume.min(0)) / typical
    drawn, field = costs, np.zeros((2, *weight.shape))
    for strength in (0.0, *COUPLING):
        if strength:
            apart = ((shifts[:, :, None, None] - field[:, None].astype(np.float32)) ** 2).sum(0)
            drawn = costs + np.float32(strength) * apart
        field = smooth(shifts[:, drawn.argmin(0)].astype(float), trust)
    return field


def blurred(sigma: float) -> Smooth:
    """Smooth fields: a blur of `sigma` nodes, by weight."""

    def smooth(values: Array, weight: Array) -> Array:
        total = ndimage.gaussian_filter(weight.astype(float), sigma, mode="constant") + 1e-4
        return np.stack([ndimage.gaussian_filter(plane * weight, sigma, mode="constant") / total for plane in values])

    return smooth


def affine_of(values: Array, weight: Array, places: Array) -> Array:
    """The affine map p + displacement(p), (2, 3), of displacements at places (2, h, w), by Tukey's weights."""
    rows = np.stack([*places.reshape(2, -1), np.ones(values[0].size)], 1)
    goal = rows[:, :2] + values.reshape(2, -1).T
    base = weight.ravel().astype(float)
    robust = base
    solution = np.vstack([np.eye(2), np.zeros(2)])
    for _ in range(8):
        root = np.sqrt(robust)[:, None]
        solution = np.linalg.lstsq(rows * root, goal * root, rcond=None)[0]
        size = np.linalg.norm(goal - rows @ solution, axis=1)
        order = np.argsort(size)
        half = size[order][np.searchsorted(np.cumsum(base[order]), base.sum() / 2)]  # weighted median
        robust = base * np.clip(1 - (size / max(4.0 * half, 1.0)) ** 2, 0, None) ** 2
    return np.asarray(solution.T)


def affinely(places: Array) -> Smooth:
    """Affine displacements of nodes at `places` (2, h, w)."""

    def smooth(values: Array, weight: Array) -> Array:
        found = affine_of(values, weight, places)
        return np.asarray(np.einsum("ij,jyx->iyx", found[:, :2], places) + found[:, 2, None, None] - places)

    return smooth
