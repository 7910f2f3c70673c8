"""profile: how one slide is stained, and how far two slides' stains are apart.

Two distances, in degrees between directions of optical density:

* of the *vectors*: the larger angle between the two slides' stains (Macenko), matched as fits best. It does not depend on how
  much of each stain a field holds, and is noise where one of both stains hardly occurs;
* of the *hues*: distance (Wasserstein) between the distributions of the pixels' directions along four opponent axes, the
  largest of the four. It is steady, and grows where two fields hold other tissue.

Each misleads where the other does not, so slides count as stained differently only if both are large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .density import WHITE, optical_density, stained
from .macenko import StainBasis, stain_basis
from .reinhard import ColourStatistics, colour_statistics

Array = npt.NDArray[Any]
OPPONENTS = np.array([[1, -1, 0], [1, 0, -1], [0, 1, -1], [1, 1, -2]]) / np.sqrt([[2], [2], [2], [6]])
"""Opponent axes of red, green and blue, float (4, 3), unit length: along them, grey is 0."""
QUANTILES = np.linspace(0.02, 0.98, 49)


@dataclass(frozen=True, slots=True)
class StainProfile:
    """All that is kept of how a slide is stained."""

    basis: StainBasis
    colours: ColourStatistics
    hues: Array
    """Quantiles of the pixels' directions of optical density along the opponent axes, float (4, 49)."""
    white: Array
    """Intensity of empty glass, float (3,)."""


def stain_profile(pixels_NC: Array, white_C: Array | float = WHITE) -> StainProfile | None:
    """Profile of 8-bit RGB pixels (n, 3) of a slide, tissue and glass or tissue alone; None where too few hold stain."""
    basis, colours = stain_basis(pixels_NC, white_C), colour_statistics(pixels_NC, white_C)
    if basis is None or colours is None:
        return None
    density = stained(optical_density(pixels_NC, white_C))
    directions = density / np.linalg.norm(density, axis=1, keepdims=True)
    hues = np.quantile(directions @ OPPONENTS.T, QUANTILES, axis=0).T
    return StainProfile(basis, colours, hues, np.broadcast_to(np.asarray(white_C, float), 3).copy())


def vector_distance(first: StainProfile, second: StainProfile) -> float:
    """Largest angle between two slides' stains under the better matching, in degrees."""
    return float(vector_distances(first.basis.vectors, second.basis.vectors[None])[0])


def vector_distances(vectors_SC: Array, others_NSC: Array) -> Array:
    """`vector_distance` of a slide and each of n other ones, by their stains' vectors, float (n,)."""
    cosines = np.clip(vectors_SC @ others_NSC.swapaxes(1, 2), -1, 1)
    angles = np.degrees(np.arccos(cosines))
    matchings = (angles.diagonal(axis1=1, axis2=2), angles[:, :, ::-1].diagonal(axis1=1, axis2=2))
    return np.asarray(np.minimum(*(matching.max(1) for matching in matchings)))


def hue_distance(first: StainProfile, second: StainProfile) -> float:
    """Largest of the four distances between distributions of directions, in degrees (small angles: arc for chord)."""
    return float(hue_distances(first.hues, second.hues[None])[0])


def hue_distances(hues_AQ: Array, others_NAQ: Array) -> Array:
    """`hue_distance` of a slide and each of n other ones, by their `StainProfile.hues`, float (n,)."""
    return np.asarray(np.degrees(np.abs(hues_AQ - others_NAQ).mean(2).max(1)))
