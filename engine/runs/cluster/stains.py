"""stains: how the slides are stained, and which of them are stained alike, found from their pixels where no list says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...pipeline.documents import Document, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution
from ...steps.checkpoints import write_document
from ...steps.normalization import target_of
from ...steps.stain import slide_stain
from .settings import ClusterSettings

STAINS = "models/stains"
MAX_NAMED = 5
"""Slides of one stain that a caution names."""


class Stains(Document):
    """models/stains.json: groups of slides that are stained alike."""

    groups: dict[str, int]
    """Slide -> its group, from 1; 0 where its stain cannot be told: no 8-bit colours, or too little stained tissue."""


def find_stains(job: Job[ClusterSettings], unit: Unit) -> Outcome:
    """Group the slides by their stain vectors."""
    from ....models.stains.alike import stain_groups

    outcome = Outcome()
    with outcome.clock("read"):
        profiles = [slide_stain(job, slide) for slide in job.slides]
    with outcome.clock("compute"):
        groups = stain_groups(profiles)
    numbers = dict(zip(job.slides, (groups.group + 1).tolist(), strict=True))
    with outcome.clock("write"):
        outcome.files.append(write_document(job, STAINS, Stains(groups=numbers)))
    outcome.facts["stains"] = len(set(numbers.values()) - {0})
    return outcome


def stain_cautions(job: Job[ClusterSettings]) -> tuple[Caution, ...]:
    """Warnings of slides that are stained differently, where the list does not say so, and of those whose stain is unknown."""
    numbers = {i: n for i, n in read_document(job.folder, STAINS, Stains).groups.items() if i in job.slides}
    is_told, is_listed = any(numbers.values()), any(r.column("stain") for r in job.slides.values())
    cautions = _differences(job, numbers) if is_told and not is_listed else ()
    untold = [job.slides[i].name for i, number in numbers.items() if not number]
    target = target_of(job)
    if is_told and untold and (target or not is_listed):
        consequence = "their stains are not normalised" if target else "they are clustered with the others all the same"
        headline = f"The stain of {len(untold)} slides cannot be told by their colours."
        cautions += (Caution(headline, f"They hold too little stained tissue, and {consequence}: {_some(untold)}."),)
    return cautions


def _differences(job: Job[ClusterSettings], numbers: Mapping[str, int]) -> tuple[Caution, ...]:
    groups: dict[int, list[str]] = {}
    for slide, group in numbers.items():
        if group:
            groups.setdefault(group, []).append(job.slides[slide].name)
    if len(groups) < 2:
        return ()
    return (
        Caution(
            f"The slides seem to be in {len(groups)} different stains.",
            f"By their colours these belong together: {'; '.join(map(_some, groups.values()))}. Clusters may follow the stain. "
            "Name the stains in a column `stain` of the list of slides: each is then clustered in a run of its own.",
        ),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
