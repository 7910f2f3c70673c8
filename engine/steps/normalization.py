"""normalization: patches as a network sees them where stains are normalised: as if their slide were stained like another one.

The target is a document of the run, so that training, `apply`, a search and a run by these networks all see the same colours.
Pictures for people, stores and maps show the slides as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...stores.frame import Array
from ..compute.resources import resources
from ..pipeline.documents import Document, find_document
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..tiling.plan import Prepare, unchanged
from .background import background_filler
from .stain import slide_stain

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile

TARGET = "models/normalization"


class StainTarget(Document):
    """models/normalization.json: how stains are normalised, and the slide that all others are made alike."""

    method: Literal["macenko", "reinhard"]
    slide: str
    """Name of the target's slide, in the run that trained the networks."""
    vectors: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Its two stains (`StainBasis.vectors`)."""
    strengths: tuple[float, float]
    mean: tuple[float, float, float]
    """Its colours (`ColourStatistics.mean`)."""
    spread: tuple[float, float, float]


def target_of(job: Job[RunSettings]) -> StainTarget | None:
    """The target of the run; None where stains are not normalised."""
    return find_document(job.folder, TARGET, StainTarget)


def prepare_of(job: Job[RunSettings], image: str) -> Prepare:
    """What is done to an image's patches before a network sees them: background filled, then stains normalised."""
    fill, target = background_filler(job, image), target_of(job)
    if target is None:
        return fill
    mask = job.folder.label(image, "tissue")
    stamp = (mask / "zarr.json").stat().st_mtime_ns  # workers can outlive a run, and the mask is rewritten by a redo
    own = resources().stains.get((mask, stamp), lambda: slide_stain(job, image))
    return _InTurn(fill, normalizer(target, own))


def normalizer(target: StainTarget | None, own: StainProfile | None) -> Prepare:
    """What makes a slide's patches alike the target's; it leaves those of a slide whose stain cannot be told as they are."""
    return unchanged if target is None or own is None else _Normalizer(target, own)


@dataclass(frozen=True, slots=True)
class _InTurn:
    first: Prepare
    second: Prepare

    def __call__(self, pixels: Array, starts: Array) -> Array:
        return self.second(self.first(pixels, starts), starts)


@dataclass(frozen=True, slots=True)
class _Normalizer:
    target: StainTarget
    own: StainProfile

    def __call__(self, pixels: Array, starts: Array) -> Array:
        from ...models.stains.macenko import StainBasis, repaint
        from ...models.stains.reinhard import ColourStatistics, recolour

        target, own = self.target, self.own
        if target.method == "macenko":
            basis = StainBasis(np.array(target.vectors), np.array(target.strengths))
            return repaint(pixels, own.basis, basis, white_C=own.white)
        colours = ColourStatistics(np.array(target.mean), np.array(target.spread))
        return recolour(pixels, own.colours, colours, white_C=own.white)
