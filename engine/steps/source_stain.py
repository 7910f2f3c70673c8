"""source_stain: how slides are stained, from a coarse read of their own files, before any run begins."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import TypeAdapter

from ...errors import SlideError
from ...models.stains import MIN_TISSUE_MM2
from ...stores.cache import cached, is_copied
from ...stores.slides.cohort import SlideEntry
from ...stores.slides.file_marks import fingerprint
from ...stores.slides.reader import open_slide
from ...stores.source import Source
from ..pipeline.documents import Untold
from ..workers.child import GoneError, Say, SilentError, all_of, each
from .convert.overview import overview
from .stain import cells, profile_of, stained_pixels

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile

SIDE = 900
"""Longest side, in pixels, of the picture that a profile is made of."""
SPACING = 4.0
"""Finest micrometres a pixel of that picture; the thresholds of `models/stains` were chosen at 4 to 15."""
LIMIT_SECONDS = 120.0
"""Seconds that the read of one slide may take."""
MAX_PARALLEL_COPIES = 4
"""Slides that are copied at the same time."""
_reason: TypeAdapter[Untold] = TypeAdapter(Untold)


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Less stained tissue than MIN_TISSUE_MM2."""

    mm2: float


Answer: TypeAlias = "StainProfile | TooLittle | Untold"


def source_stain(source: Source) -> Answer:
    """The stain profile of a slide's own file, by the rule of `slide_stain`; or why there is none."""
    from ...models.stains.density import white_point

    if source.channels != 3 or source.dtype != "uint8":
        return "channels"
    frame = source.frames[0]
    factor = max(1, -(-max(frame.shape) // SIDE), round(SPACING / max(frame.spacing)))
    target = frame.coarsen((factor, factor))
    picture, _ = overview(source, target)
    pixels = picture.reshape(3, -1).T
    white = white_point(pixels)
    profile = profile_of(pixels, white, cells(MIN_TISSUE_MM2, target))
    return profile or TooLittle(stained_pixels(pixels, white) * math.prod(target.spacing) / 1e6)


def source_stains(entries: Sequence[SlideEntry], mpp: float | None) -> list[Answer]:
    """The stain profile of each slide, read in a child process, or why its stain cannot be told.

    `mpp`: micrometres a pixel of slides that state none. A slide that ends its child or gives no answer within LIMIT_SECONDS
    is read a second time, alone.
    """
    near = [entry for entry in entries if not is_copied(entry.path)]
    answers = dict(zip([e.id for e in near], _read([(e.path, e.mpp or mpp) for e in near]), strict=True))
    with ThreadPoolExecutor(MAX_PARALLEL_COPIES) as pool:
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
        return "unreadable"


def _one(item: list[Any]) -> dict[str, Any] | Untold:
    """Profile or too little tissue as JSON values, or the reason why there is none."""
    path, mpp = item
    try:
        with open_slide(Path(path), mpp) as slide:
            profile = source_stain(slide)
    except SlideError:
        return "unreadable"
    if isinstance(profile, str):
        return profile
    if isinstance(profile, TooLittle):
        return asdict(profile)
    values = {
        "vectors": profile.basis.vectors,
        "strengths": profile.basis.strengths,
        "mean": profile.colours.mean,
        "spread": profile.colours.spread,
        "hues": profile.hues,
        "white": profile.white,
    }
    return {name: value.tolist() for name, value in values.items()}


def _profile(answer: Any) -> Answer:
    """The profile that a child answered, or why there is none: its own reason, or its fate."""
    import numpy as np

    from ...models.stains.macenko import StainBasis
    from ...models.stains.profile import StainProfile
    from ...models.stains.reinhard import ColourStatistics

    if isinstance(answer, GoneError):
        return "timeout" if isinstance(answer, SilentError) else "crash"
    if isinstance(answer, str):
        return _reason.validate_python(answer)
    if "mm2" in answer:
        return TooLittle(**answer)
    values = {name: np.array(value) for name, value in answer.items()}
    basis = StainBasis(values["vectors"], values["strengths"])
    return StainProfile(basis, ColourStatistics(values["mean"], values["spread"]), values["hues"], values["white"])
