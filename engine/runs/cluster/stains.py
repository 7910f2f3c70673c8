"""stains: how the slides are stained, and which of them are stained alike, found from their pixels where no list says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...pipeline.documents import Document, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution
from ...steps.checkpoints import write_document
from ...steps.normalization import target_of
from ...steps.stain import MIN_TISSUE_MM2, slide_stain
from .settings import ClusterSettings

STAINS = "models/stains"
MAX_NAMED = 5
"""Slides of one stain that a caution names."""


class Stains(Document):
    """models/stains.json: groups of slides that are stained alike."""

    groups: dict[str, int]
    """Slide -> its group, from 1; 0 where its stain cannot be told: no 8-bit colours, or too little stained tissue."""
    unchanged: tuple[str, ...] = ()
    """Slides that are not normalised where others are, as hardly a pixel of theirs is stained."""


def find_stains(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Group the slides by their stain vectors."""
    from ....models.stains.alike import stain_groups

    outcome = Outcome()
    with outcome.clock("read"):
        profiles = [slide_stain(job, slide, min_mm2=MIN_TISSUE_MM2) for slide in job.slides]
    with outcome.clock("compute"):
        groups = stain_groups(profiles)
        unchanged = tuple(s for s in job.slides if slide_stain(job, s) is None) if target_of(job) else ()
    numbers = dict(zip(job.slides, (groups.group + 1).tolist(), strict=True))
    with outcome.clock("write"):
        outcome.files.append(write_document(job, STAINS, Stains(groups=numbers, unchanged=unchanged)))
    outcome.facts["stains"] = len(set(numbers.values()) - {0})
    return outcome


def stain_cautions(job: Job[ClusterSettings]) -> tuple[Caution, ...]:
    """Warnings of slides that are stained differently, where the list does not say so, and of those whose stain is unknown."""
    found = read_document(job.folder, STAINS, Stains)
    numbers = {i: n for i, n in found.groups.items() if i in job.slides}
    if not any(numbers.values()) or any(record.column("stain") for record in job.slides.values()):
        return _unchanged(job, found)
    untold = [job.slides[i].name for i, number in numbers.items() if not number]
    reason = f"Less than {MIN_TISSUE_MM2:g} mm² of their tissue is stained, or they have other channels"
    text = f"{reason}; they are clustered with the others all the same: {_some(untold)}."
    headline = f"The stain of {len(untold)} slides cannot be told by their colours."
    return (*_differences(job, numbers), *((Caution(headline, text),) if untold else ()), *_unchanged(job, found))


def _unchanged(job: Job[ClusterSettings], found: Stains) -> tuple[Caution, ...]:
    names = [job.slides[i].name for i in found.unchanged if i in job.slides]
    if not names:
        return ()
    text = f"They hold hardly any stained tissue, or have other channels: {_some(names)}."
    return (Caution(f"The stains of {len(names)} slides are not normalised.", text),)


def _differences(job: Job[ClusterSettings], numbers: Mapping[str, int]) -> tuple[Caution, ...]:
    groups: dict[int, list[str]] = {}
    for slide, group in numbers.items():
        if group:
            groups.setdefault(group, []).append(job.slides[slide].name)
    if len(groups) < 2:
        return ()
    target = target_of(job)
    remedy = (
        f"The networks saw them normalised to {target.slide}."
        if target
        else "One stain from several laboratories can be normalised: --normalize."
    )
    return (
        Caution(
            f"The slides seem to be in {len(groups)} different stains.",
            f"By their colours these belong together: {'; '.join(map(_some, groups.values()))}. Clusters may follow the stain. "
            f"Name the stains in a column `stain` of the list of slides: each is then clustered in a run of its own. {remedy}",
        ),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
