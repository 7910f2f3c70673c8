"""stains: how the slides are stained, and which of them are stained alike, found from their pixels where no list says it."""

from __future__ import annotations

from ...pipeline.documents import Document, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution
from ...steps.checkpoints import write_document
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
    """A warning where slides are stained differently and the list of slides has no column `stain` that says so."""
    if any(record.column("stain") for record in job.slides.values()):
        return ()
    groups: dict[int, list[str]] = {}
    for slide, group in read_document(job.folder, STAINS, Stains).groups.items():
        if group and slide in job.slides:
            groups.setdefault(group, []).append(job.slides[slide].name)
    if len(groups) < 2:
        return ()
    named = "; ".join(
        ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
        for names in groups.values()
    )
    return (
        Caution(
            f"The slides seem to be in {len(groups)} different stains.",
            f"By their colours these belong together: {named}. Clusters may follow the stain: cluster each stain in a run of "
            "its own, or name the stains in a column `stain` of the list of slides.",
        ),
    )
