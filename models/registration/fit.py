"""fit: how a section of one stain lies over a section of another.

Every stage must be better than what it started from, on blocks of the tissue that it did not see.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .channels import section
from .start import starts
from .transform import PairFit, Stage

Array = npt.NDArray[Any]
LEAST_TISSUE = 0.005
"""Share of an overview below which its tissue is too little to be registered."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How closely sections are fitted."""

    side: int = 1024
    """Longer side, in pixels, at which sections are compared."""
    field: bool = True
    """Whether a displacement field is fitted after the affine map."""
    threads: int = 2
    """Threads of the fit."""


def register_pair(
    reference: Array,
    moving: Array,
    *,
    spacing: float | None,
    settings: FitSettings,
    seed: int,
    masks: tuple[Array | None, Array | None] = (None, None),
) -> PairFit:
    """The map from `reference` to `moving`, uint8 (3, y, x) RGB overviews of one spacing in µm a pixel (None: not known).

    `masks` are the tissue of either, bool (y, x); those not given are found. A section without tissue gives the identity, with
    the reason in `notes`.
    """
    began = time.perf_counter()
    factor = min(1.0, settings.side / max(*reference.shape[1:], *moving.shape[1:]))
    fixed, other = (
        section(image, spacing=spacing, mask=mask, factor=factor)
        for image, mask in zip((reference, moving), masks, strict=True)
    )
    for name, one in (("reference", fixed), ("moving", other)):
        if (share := float(one.mask.mean())) < LEAST_TISSUE:
            return PairFit.identity(
                f"the {name} section has tissue on {share:.2%} of its overview, too little to register"
            )
    best = starts(fixed, other, 1)[0]
    stage = Stage("start", True, float("nan"), best.score, "best of all angles", time.perf_counter() - began)
    return PairFit(best.affine, None, (stage,), "density", best.rotation, best.flip)
