"""start: how a section may have been turned, turned over and moved, from thumbnails.

Every angle of both sides is tried, and the best shift of each is found by cross-correlation over all shifts (Fourier).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from .channels import Section
from .transform import compose, invert_affine

Array = npt.NDArray[Any]
THUMBNAIL = 160
"""Longer side of the thumbnails."""
ANGLE_STEP = 5.0
"""Degrees between two angles that are tried."""


@dataclass(frozen=True, slots=True)
class Start:
    """A rigid start."""

    affine: Array
    """(2, 3), reference -> moving, in pixels of the overviews."""
    rotation: float
    flip: bool
    score: float
    """Cross-correlation of the thumbnails, 1 where they are equal."""


def starts(reference: Section, moving: Section, count: int) -> list[Start]:
    """The `count` best starts, of different angles or sides, best first. One scale serves both sections."""
    side = max(*reference.picture.shape, *moving.picture.shape)
    fixed, turned = (s.reduced(max(1, round(THUMBNAIL * max(s.picture.shape) / side))) for s in (reference, moving))
    size = fft.next_fast_len(int(np.hypot(*fixed.picture.shape) + np.hypot(*turned.picture.shape)) + 2, real=True)
    target = fft.rfft2(_zero_mean(fixed), (size, size))
    angles = np.arange(0.0, 360.0, ANGLE_STEP)
    tried = [_shifted(target, fixed, turned, (float(angle), flip), size) for flip in (False, True) for angle in angles]
    scores = np.array([start.score for start in tried]).reshape(2, -1)
    peaks = scores >= ndimage.maximum_filter(scores, size=(1, 5), mode="wrap")
    best = [start for start, peak in zip(tried, peaks.ravel(), strict=True) if peak]
    return sorted(best, key=lambda start: -start.score)[:count]


def _zero_mean(small: Section) -> Array:
    return small.picture * small.mask


def _shifted(target: Array, fixed: Section, turned: Section, pose: tuple[float, bool], size: int) -> Start:
    """The best shift of one pose: angle in degrees, and whether the section is turned over."""
    angle, flip = pose
    centre = (np.array(turned.picture.shape) - 1) / 2
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cos, sin], [-sin, cos]]) @ np.diag([1.0, -1.0 if flip else 1.0])
    span = int(np.ceil(np.hypot(*turned.picture.shape))) + 1
    middle = (span - 1) / 2
    pose_map = np.hstack([linear, (centre - linear @ (middle, middle))[:, None]])  # canvas -> moving thumbnail
    canvas = warped(_zero_mean(turned), pose_map, (span, span))
    product = fft.irfft2(target * np.conj(fft.rfft2(canvas, (size, size))), (size, size))
    norm = float(np.linalg.norm(_zero_mean(fixed)) * np.linalg.norm(canvas))
    at = np.array(np.unravel_index(product.argmax(), product.shape))
    shift = np.where(at > size // 2 + span // 2, at - size, at)  # wrapped: the canvas begins before the reference
    shift = np.where(shift >= fixed.picture.shape, shift - size, shift)
    affine = compose(pose_map, np.hstack([np.eye(2), -shift[:, None].astype(float)]))
    return Start(
        rescaled(affine, 1 / fixed.scale, 1 / turned.scale), angle, flip, float(product.max()) / max(norm, 1e-9)
    )


def warped(plane: Array, affine: Array, shape: tuple[int, ...], *, border: float = 0.0) -> Array:
    """A plane (y, x) pulled back by an affine map to `shape`, bilinear."""
    matrix = np.ascontiguousarray(affine[::-1][:, [1, 0, 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(
            plane, matrix, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=border
        )
    )


def rescaled(affine: Array, reference: float, moving: float) -> Array:
    """An affine map between pictures enlarged by two factors; pixel centres have integer coordinates at either size."""
    inner, outer = (
        np.hstack([np.eye(2) * factor, np.full((2, 1), (factor - 1) / 2)]) for factor in (reference, moving)
    )
    return compose(outer, compose(affine, invert_affine(inner)))
