"""features: a start from points that look alike in both sections, where there are enough of them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .channels import Section
from .start import Start
from .transform import rescaled

Array = npt.NDArray[Any]
MAX_FEATURES = 2000
RATIO = 0.85
"""A match counts where its distance is below this share of the second best's (Lowe 2004)."""
LEAST_INLIERS = 8
"""Fewest matches under one similarity: with 3 to 6, a few chance matches agree."""
INLIER_PIXELS = 6.0


def feature_start(reference: Section, moving: Section) -> Start | None:
    """A similarity of both sections by SIFT and RANSAC; None with fewer than `LEAST_INLIERS` matches that agree.

    SIFT does not know sections that are turned over: those are left to the thumbnails.
    """
    sift = cv2.SIFT.create(nfeatures=MAX_FEATURES)
    found = [sift.detectAndCompute(_bytes(one), (one.mask > 0).astype(np.uint8)) for one in (reference, moving)]
    if any(descriptors is None or len(descriptors) < 2 for _, descriptors in found):
        return None
    (points, here), (others, there) = found
    pairs = [two for two in cv2.BFMatcher(cv2.NORM_L2).knnMatch(here, there, k=2) if len(two) == 2]
    good = [first for first, second in pairs if first.distance < RATIO * second.distance]
    if len(good) < LEAST_INLIERS:
        return None
    source = np.array([points[match.queryIdx].pt for match in good])
    goal = np.array([others[match.trainIdx].pt for match in good])
    matrix, inliers = cv2.estimateAffinePartial2D(source, goal, method=cv2.RANSAC, ransacReprojThreshold=INLIER_PIXELS)
    if matrix is None or int(inliers.sum()) < LEAST_INLIERS:
        return None
    affine = np.asarray(matrix, float)[::-1][:, [1, 0, 2]]
    angle = float(np.rad2deg(np.arctan2(affine[0, 1], affine[0, 0]))) % 360
    return Start(rescaled(affine, 1 / reference.scale, 1 / moving.scale), angle, False, float(inliers.mean()))


def _bytes(one: Section) -> Array:
    grey = np.clip(one.picture * 200, 0, 255).astype(np.uint8)
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(grey))
