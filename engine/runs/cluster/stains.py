"""stains: how the slides are stained, and which of them are stained alike, found from their pixels where no list says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....models.stains import MIN_TISSUE_MM2
from ...pipeline.documents import Document, read_document
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...pipeline.settings import RunSettings
from ...pipeline.unit import Outcome, Unit
from ...show.page import Caution
from ...steps.checkpoints import write_document
from ...steps.normalization import target_of
from ...steps.stain import slide_stain
from .apart import COLUMN
from .settings import ClusterSettings

STAINS = "models/stains"
WHY_UNTOLD = f"Less than {MIN_TISSUE_MM2:g} mm² of their tissue is stained, or they have other channels"


class Stains(Document):
    """models/stains.json: groups of slides that are stained alike."""

    groups: dict[str, int]
    """Slide -> its group, from 1; 0 where its stain cannot be told (`slide_stain`): it is never normalised."""


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
    """Warnings of slides in several stains, by the list or else by their colours, and of those whose stain is unknown."""
    found = read_document(job.folder, STAINS, Stains)
    numbers = {i: n for i, n in found.groups.items() if i in job.slides}
    untold = [job.slides[i].name for i, number in numbers.items() if not number]
    if named := stains_by_list(job):
        return (*_named(named, divisible=job.pipeline.apart is not None), *_unchanged(job, untold))
    if not any(numbers.values()):
        return _unchanged(job, untold)
    text = f"{WHY_UNTOLD}; they are clustered with the others all the same: {first_of(untold)}."
    headline = f"The stain of {len(untold)} slides cannot be told by their colours."
    return (*_differences(job, numbers), *((Caution(headline, text),) if untold else ()), *_unchanged(job, untold))


def stains_by_list(job: Job[RunSettings]) -> dict[str, list[str]]:
    """Stain -> names of its slides, as the list of slides says; {} where it names none. Unnamed slides have the stain ""."""
    named: dict[str, list[str]] = {}
    for record in job.slides.values():
        named.setdefault(str(record.column(COLUMN)).strip(), []).append(record.name)
    return named if any(named) else {}


def _named(named: Mapping[str, Sequence[str]], *, divisible: bool) -> tuple[Caution, ...]:
    if len(named) < 2:
        return ()
    remedy = (
        "In another folder (--out), with a list that names every slide's stain and without --stains together, each stain is "
        "clustered in a run of its own."
        if divisible
        else "Apply networks that were trained on one stain to slides in that stain, a run for each."
    )
    groups = "; ".join(f"{stain or 'not named'}: {first_of(names)}" for stain, names in sorted(named.items()))
    return (
        Caution(
            f"The slides are in {len(named)} stains, and are clustered together.",
            f"The list of slides names them. {groups}. Clusters may follow the stain, and one colour need not be one tissue. "
            f"{remedy}",
        ),
    )


def _unchanged(job: Job[ClusterSettings], untold: Sequence[str]) -> tuple[Caution, ...]:
    if not untold or target_of(job) is None:
        return ()
    headline = f"The stains of {len(untold)} slides are not normalised, as they cannot be told."
    return (Caution(headline, f"{WHY_UNTOLD}: {first_of(untold)}."),)


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
            f"By their colours these belong together: {'; '.join(map(first_of, groups.values()))}. Clusters may follow "
            "the stain. "
            f"Name the stains in a column `stain` of the list of slides: each is then clustered in a run of its own. {remedy}",
        ),
    )
