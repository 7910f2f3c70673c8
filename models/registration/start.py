"""start: how a section may have been turned, turned over and moved, from thumbnails.

Every angle of both sides is tried, and all shifts of each at once, by phase correlation of the directions of edges: edges of
tissue lie alike whatever the stain. Intensities and outlines prefer wrong angles: outlines of many sections are nearly round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from .channels import Section
from .transform import compose, rescaled

Array = npt.NDArray[Any]
THUMBNAIL = 128
"""Longer side of the thumbnails."""
ANGLE_STEP = 5.0
"""Degrees between two angles that are tried."""
LEAST_OVERLAP = 0.5
"""Share of the smaller section that must lie on the other."""


@dataclass(frozen=True, slots=True)
class Start:
    """A rigid start."""

    affine: Array
    """(2, 3), reference -> moving, in pixels of the overviews."""
    rotation: float
    """Degrees."""
    flip: bool
    score: float
    """Correlation of the directions of edges, 1 where they are equal."""


def starts(reference: Section, moving: Section, count: int) -> list[Start]:
    """The `count` best starts, of angles that are local maxima, best first. One scale serves both sections."""
    factor = min(1.0, THUMBNAIL / max(*reference.picture.shape, *moving.picture.shape))
    fixed, turned = reference.reduced(factor), moving.reduced(factor)
    size = fft.next_fast_len(sum(int(np.hypot(*one.picture.shape)) + 1 for one in (fixed, turned)), real=True)
    target = _spectra(fixed.picture, fixed.mask, size)
    angles = np.arange(0.0, 360.0, ANGLE_STEP)
    tried = [_best_shift(target, fixed, turned, (float(angle), flip)) for flip in (False, True) for angle in angles]
    scores = np.array([start.score for start in tried]).reshape(2, -1)
    peaks = scores >= ndimage.maximum_filter(scores, size=(1, 3), mode="wrap")
    best = [start for start, peak in zip(tried, peaks.ravel(), strict=True) if peak]
    return sorted(best, key=lambda start: -start.score)[:count]


@dataclass(frozen=True, slots=True)
class _Spectra:
    edges: list[Array]
    mask: Array
    norm: float
    area: float
    size: int


def edge_directions(picture: Array, mask: Array) -> tuple[Array, Array]:
    """Cosine and sine of twice the direction of the gradient, (y, x) each, smaller where there is no edge."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    along_x, along_y = (cv2.Sobel(smooth, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    squared = along_x * along_x + along_y * along_y
    inside = mask > 0.5
    typical = 0.5 * float(squared[inside].mean()) if inside.any() else 1.0
    total = squared + max(typical, 1e-9)
    return (along_x * along_x - along_y * along_y) / total * mask, 2 * along_x * along_y / total * mask


def _spectra(picture: Array, mask: Array, size: int) -> _Spectra:
    planes = edge_directions(picture, mask)
    norm = float(np.sqrt(sum((plane.astype(float) ** 2).sum() for plane in planes)))
    edges = [fft.rfft2(plane, (size, size)) for plane in planes]
    return _Spectra(edges, fft.rfft2(mask, (size, size)), norm, float(mask.sum()), size)


def _best_shift(target: _Spectra, fixed: Section, turned: Section, pose: tuple[float, bool]) -> Start:
    """The best shift of one pose: angle in degrees, and whether the section is turned over."""
    angle, flip = pose
    size, span = target.size, int(np.ceil(np.hypot(*turned.picture.shape))) + 1
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cos, sin], [-sin, cos]]) @ np.diag([1.0, -1.0 if flip else 1.0])
    centre = (np.array(turned.picture.shape) - 1) / 2
    to_moving = np.hstack([linear, (centre - linear @ np.full(2, (span - 1) / 2))[:, None]])
    picture, mask = (warped(plane, to_moving, (span, span)) for plane in (turned.picture, turned.mask))
    canvas = _spectra(picture, mask, size)
    shared = fft.irfft2(target.mask * np.conj(canvas.mask), (size, size))
    product = sum(a * np.conj(b) for a, b in zip(target.edges, canvas.edges, strict=True))
    alike = np.asarray(fft.irfft2(product, (size, size))) / max(target.norm * canvas.norm, 1e-9)
    alike[shared < LEAST_OVERLAP * min(target.area, canvas.area)] = -1.0
    at = np.array(np.unravel_index(alike.argmax(), alike.shape))
    shift = np.where(at >= fixed.picture.shape, at - size, at)  # wrapped: the canvas begins before the reference
    affine = compose(to_moving, np.hstack([np.eye(2), -shift[:, None].astype(float)]))
    return Start(rescaled(affine, 1 / fixed.scale, 1 / turned.scale), angle, flip, float(alike.max()))


def warped(plane: Array, affine: Array, shape: tuple[int, ...]) -> Array:
    """A plane (y, x) pulled back by an affine map to `shape`, bilinear; 0 beyond its borders."""
    matrix = np.ascontiguousarray(affine[::-1][:, [1, 0, 2]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane, matrix, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT))
