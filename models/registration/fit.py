"""fit: how a section of one stain lies over a section of another.

Start, affine map and displacement field follow each other. Each is kept only where squares of the tissue that it was not
fitted to are clearly more alike than before; where they cannot tell, the simpler map stays. What is kept is fitted again to all
squares.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from . import held_out
from .channels import CHANNEL, Section, section
from .features import feature_start
from .folding import unfolded
from .held_out import Board, Gain, gain, similarity
from .stages import fit_affine, fit_field
from .start import Start, starts
from .transform import IDENTITY, Field, PairFit, Stage, enlargement, rescaled

Array = npt.NDArray[Any]
LEAST_TISSUE = 0.005
"""Share of an overview below which its tissue is too little to be registered."""
STARTS = 3
"""Starts from thumbnails that are followed up, beside the identity and the start of features."""
NODES_PER_GRID = 4
"""Distance in compared pixels of the nodes of the field that is kept."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How closely sections are fitted."""

    side: int = 512
    """Longer side in pixels at which sections are compared."""
    stiffness: tuple[float, ...] = (2.0, 4.0)
    """Blurs of the field in nodes of 8 compared pixels: the first that squares held out accept is kept. None: no field."""
    turned: bool = True
    """Whether the moving section may have been turned or turned over."""
    threads: int = 2
    """Threads of the fit. The result does not depend on them."""


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
    the reason in `notes`. Raises nothing for sections that have nothing in common: then every stage is rejected.
    """
    cv2.setNumThreads(settings.threads)
    cv2.setRNGSeed(seed % 2**31)
    factor = min(1.0, settings.side / max(*reference.shape[1:], *moving.shape[1:]))
    fixed, other = (
        section(image, spacing=spacing, mask=mask, factor=factor)
        for image, mask in zip((reference, moving), masks, strict=True)
    )
    notes = tuple(f"{name}: {one.note}" for name, one in (("reference", fixed), ("moving", other)) if one.note)
    for name, one in (("reference", fixed), ("moving", other)):
        if (share := float(one.mask.mean())) < LEAST_TISSUE:
            reason = f"the {name} section has tissue on {share:.2%} of its overview, too little to register"
            return replace(PairFit.identity(*notes, reason), channel=CHANNEL)
    pair = _Pair(fixed, other, held_out.board(fixed))
    with threadpool_limits(1, "blas"):  # small products, and the same bytes on any number of cores
        start, start_stage = _start(pair, STARTS if settings.turned else 0)
        affine, affine_stage = _affine(pair, start)
        field, field_stage = _field(pair, affine, settings.stiffness)
    stages = (start_stage, affine_stage, field_stage)
    outer = rescaled(affine, 1 / fixed.scale, 1 / other.scale)
    return PairFit(outer, field, stages, CHANNEL, start.rotation, start.flip, notes)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two sections at the size at which they are compared; affine maps here are in pixels of that size."""

    fixed: Section
    moving: Section
    board: Board

    def compared(self, start: Start) -> Array:
        return rescaled(start.affine, self.fixed.scale, self.moving.scale)

    def crossed(self, fitted: Callable[[Array], tuple[Array, Array | None]]) -> Array:
        """Scores of all squares under maps fitted to the squares of the other colour."""
        halves = []
        for colour in (0, 1):
            affine, field = fitted(self.board.evidence(1 - colour))
            halves.append(self.board.scores(similarity(self.fixed, self.moving, affine, field), colour))
        return np.where(np.isfinite(halves[0]), *halves)

    def scores(self, affine: Array) -> Array:
        """Scores of all squares under one map."""
        return self.crossed(lambda evidence: (affine, None))


def _start(pair: _Pair, count: int) -> tuple[Start, Stage]:
    began = time.perf_counter()
    identity = Start(IDENTITY.copy(), 0.0, False, 0.0)
    candidates = starts(pair.fixed, pair.moving, count) if count else []
    if (by_features := feature_start(pair.fixed, pair.moving)) is not None:
        candidates.append(by_features)
    plain = _followed(pair, identity)
    if not candidates:
        return identity, _stage("start", replace(gain(plain, plain), errors=0.0), began)
    scores = [_followed(pair, candidate) for candidate in candidates]
    means = [float(np.nanmean(each)) if np.isfinite(each).any() else -1.0 for each in scores]
    best = means.index(max(means))
    found, chosen = gain(plain, scores[best]), candidates[best]
    side = "turned over and " if chosen.flip else ""
    stage = _stage("start", found, began)
    why = (
        f"{side}turned by {chosen.rotation:.0f} degrees before the affine map, against an affine map alone: {found.why}"
    )
    return (chosen if found.accepted else identity), replace(stage, why=why)


def _followed(pair: _Pair, start: Start) -> Array:
    """Scores of squares under affine maps from a start."""
    affine = pair.compared(start)
    return pair.crossed(lambda evidence: (fit_affine(pair.fixed, pair.moving, affine, evidence), None))


def _affine(pair: _Pair, start: Start) -> tuple[Array, Stage]:
    began = time.perf_counter()
    before = pair.compared(start)
    found = gain(pair.scores(before), _followed(pair, start))
    after = fit_affine(pair.fixed, pair.moving, before, pair.board.mask) if found.accepted else before
    return after, _stage("affine", found, began)


def _field(pair: _Pair, affine: Array, stiffness: tuple[float, ...]) -> tuple[Field | None, Stage]:
    began = time.perf_counter()
    plain = pair.scores(affine)
    found, chosen = replace(gain(plain, plain), errors=0.0), None
    for blur in stiffness:
        scores = pair.crossed(_fields(pair, affine, blur))
        if (found := gain(plain, scores)).accepted:
            chosen = blur
            break
    if chosen is None:
        return None, _stage("field", found, began)
    planes = fit_field(pair.fixed, pair.moving, affine, pair.board.mask, chosen)
    field, damping = unfolded(_exported(planes, pair.fixed))
    stage = _stage("field", found, began)
    if field is None:
        return None, replace(stage, accepted=False, why="folds however much it is damped")
    damped = f"; damped to {damping:.2f} of itself, as it folded" if damping < 1 else ""
    return field, replace(stage, why=f"{stage.why}; blurred by {chosen:g} nodes{damped}")


def _fields(pair: _Pair, affine: Array, blur: float) -> Callable[[Array], tuple[Array, Array | None]]:
    return lambda evidence: (affine, fit_field(pair.fixed, pair.moving, affine, evidence, blur))


def _stage(name: str, found: Gain, began: float) -> Stage:
    return Stage(name, found.accepted, found.before, found.after, found.why, time.perf_counter() - began)


def _exported(field: Array, fixed: Section) -> Field:
    """A field of compared pixels, (2, y, x), on a grid over the overview, in its pixels."""
    to_compared = enlargement(fixed.scale)
    height, width = field.shape[1:] / fixed.scale
    stride = NODES_PER_GRID / float(fixed.scale.mean())
    rows, columns = (np.arange(0, side + stride, stride) for side in (height, width))
    y = rows * to_compared[0, 0] + to_compared[0, 2]
    x = columns * to_compared[1, 1] + to_compared[1, 2]
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    planes = [cv2.remap(plane, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for plane in field]
    return Field((np.stack(planes) / fixed.scale[:, None, None]).astype(np.float32), stride)
