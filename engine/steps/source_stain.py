"""source_stain: how slides are stained, from a coarse read of their own files, before any run begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SlideError
from ...stores.cache import cached, is_copied
from ...stores.slides.cohort import SlideEntry, fingerprint
from ...stores.slides.reader import open_slide
from ...stores.source import Source
from ..workers.child import Say, all_of, each
from .convert.overview import overview
from .stain import MIN_TISSUE_MM2, cells, profile_of

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile

SIDE = 900
"""Longest side, in pixels, of the picture that a profile is made of."""
SPACING = 4.0
"""Finest micrometres a pixel of that picture; the thresholds of `models/stains` were chosen at 4 to 15."""
LIMIT_SECONDS = 120.0
"""Seconds that the read of one slide may take."""
FETCHED = 4
"""Slides that are copied at the same time."""


def source_stain(source: Source, *, min_mm2: float = 0.0) -> StainProfile | None:
    """The stain profile of a slide's own file; None where there is nothing to say (see `slide_stain`)."""
    from ...models.stains.density import white_point

    if source.channels != 3 or source.dtype != "uint8":
        return None
    frame = source.frames[0]
    factor = max(1, -(-max(frame.shape) // SIDE), round(SPACING / max(frame.spacing)))
    target = frame.coarsen((factor, factor))
    picture, _ = overview(source, target)
    pixels = picture.reshape(3, -1).T
    return profile_of(pixels, white_point(pixels), min_pixels=cells(min_mm2, target))


def source_stains(entries: Sequence[SlideEntry], mpp: float | None) -> list[StainProfile | None]:
    """The stain profile of each slide with enough tissue, read in a child process; None also for one that cannot be read.

    `mpp`: micrometres a pixel of slides that state none.
    """
    near = [entry for entry in entries if not is_copied(entry.path)]
    answers = dict(zip([e.id for e in near], _read([(e.path, e.mpp or mpp) for e in near]), strict=True))
    with ThreadPoolExecutor(FETCHED) as pool:
        far = [entry for entry in entries if is_copied(entry.path)]
        answers |= zip([e.id for e in far], pool.map(lambda e: _read_copy(e, mpp), far), strict=True)
    return [_profile(answers[entry.id]) for entry in entries]


def read_in_child(items: list[Any], say: Say) -> None:
    """In the child: the profile of each [path, mpp] as JSON values."""
    all_of(_one, items, say)


def _read(items: Sequence[tuple[Path, float | None]]) -> list[Any]:
    return each(read_in_child, [[os.fspath(path), mpp] for path, mpp in items], LIMIT_SECONDS) if items else []


def _read_copy(entry: SlideEntry, mpp: float | None) -> Any:
    try:
        with cached(entry.path, fingerprint(entry.path)) as copy:
            return _read([(copy, entry.mpp or mpp)])[0]
    except SlideError:  # the run rejects the slide, and says why
        return None


def _one(item: list[Any]) -> dict[str, Any] | None:
    path, mpp = item
    try:
        with open_slide(Path(path), mpp) as slide:
            profile = source_stain(slide, min_mm2=MIN_TISSUE_MM2)
    except SlideError:
        return None
    if profile is None:
        return None
    values = {
        "vectors": profile.basis.vectors,
        "strengths": profile.basis.strengths,
        "mean": profile.colours.mean,
        "spread": profile.colours.spread,
        "hues": profile.hues,
        "white": profile.white,
    }
    return {name: value.tolist() for name, value in values.items()}


def _profile(answer: Any) -> StainProfile | None:
    """The profile that a child answered; None for a slide without one, and where the child crashed or gave no answer."""
    import numpy as np

    from ...models.stains.macenko import StainBasis
    from ...models.stains.profile import StainProfile
    from ...models.stains.reinhard import ColourStatistics

    if not isinstance(answer, dict):
        return None
    values = {name: np.array(value) for name, value in answer.items()}
    basis = StainBasis(values["vectors"], values["strengths"])
    return StainProfile(basis, ColourStatistics(values["mean"], values["spread"]), values["hues"], values["white"])
