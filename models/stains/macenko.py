"""macenko: a slide's two stains as directions of optical density, and patches repainted with another slide's stains.

Macenko et al. 2009, ISBI, "A method for normalizing histology slides for quantitative analysis":

1. optical densities of the pixels with stain lie near a plane: that of the two largest principal directions;
2. the stains are the extreme directions within it: the 1st and the 99th percentile of the angle;
3. a pixel is a sum of both stains, by least squares; the strength of a stain is the 99th percentile of its amounts;
4. normalised: amounts times the target's strength over the own, in the target's directions.

Densities are natural logarithms here; directions do not depend on that. Of a slide with one stain (or nearly so) the second
direction is noise: `StainProfile` in `profile` has what does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .density import WHITE, as_bytes, combined, density_planes, optical_density, stained

Array = npt.NDArray[Any]
EXTREME_PERCENTILE = 1.0
"""Percentile of the angle at either end that is taken for a pure stain."""
STRENGTH_PERCENTILE = 99.0
MIN_PIXELS = 500
"""Fewest pixels with stain that directions are computed from."""


@dataclass(frozen=True, slots=True)
class StainBasis:
    """The two stains of a slide; the first absorbs more red (haematoxylin), the second less (eosin, DAB)."""

    vectors: Array
    """Unit directions of optical density, float (2, 3), none negative."""
    strengths: Array
    """99th percentile of each stain's amount, float (2,), in natural optical density."""

    def amounts(self, density_NC: Array) -> Array:
        """Amount of each stain in each pixel by least squares, float (n, 2), none negative."""
        return np.maximum(density_NC @ np.linalg.pinv(self.vectors), 0.0)


def stain_basis(pixels_NC: Array, white_C: Array | float = WHITE) -> StainBasis | None:
    """The stains of 8-bit RGB pixels (n, 3), of tissue and glass or tissue alone; None with too few pixels that hold stain."""
    density = stained(optical_density(pixels_NC, white_C))
    if len(density) < MIN_PIXELS:
        return None
    _, directions = np.linalg.eigh(np.cov(density.T))
    plane = directions[:, [2, 1]]
    plane = plane * np.where(density.mean(0) @ plane < 0, -1, 1)  # signs of eigenvectors are arbitrary
    along = density @ plane
    angles = np.arctan2(along[:, 1], along[:, 0])
    ends = np.percentile(angles, (EXTREME_PERCENTILE, 100 - EXTREME_PERCENTILE))
    vectors = np.maximum(np.stack([np.cos(ends), np.sin(ends)], 1) @ plane.T, 0.0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors[np.argsort(-vectors[:, 0], kind="stable")]
    basis = StainBasis(vectors, np.ones(2))
    return StainBasis(vectors, np.percentile(basis.amounts(density), STRENGTH_PERCENTILE, axis=0))


def repaint(patches_NCYX: Array, own: StainBasis, target: StainBasis, *, white_C: Array | float = WHITE) -> Array:
    """Patches, uint8 (n, 3, y, x), as if stained like the target, on glass of intensity 255.

    `own` and `white_C` are those of the patches' slide, not of the patches: a patch without a stain must not be given it.
    What is no sum of both stains (pigment, pen) is lost.
    """
    scale = target.strengths / np.maximum(own.strengths, 1e-6)
    amounts = combined(density_planes(patches_NCYX, white_C), np.linalg.pinv(own.vectors) * scale)
    density = combined([np.maximum(amount, 0, out=amount) for amount in amounts], target.vectors)
    return as_bytes([np.exp(-plane) * np.float32(WHITE + 1) - 1 for plane in density])
