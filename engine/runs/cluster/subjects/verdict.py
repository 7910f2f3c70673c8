"""verdict: in plain words, how many groups of subjects can be told apart, how sure that is, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator

from ....pipeline.job import Job
from ....show.associations_section import NOTABLE_Q
from ....show.numbers import spans
from ....show.page import Caution
from ..documents import Validity
from ..verdict import chosen
from .documents import SubjectAssociations
from .settings import SubjectSettings

FEW_SUBJECTS = 20
ACQUISITION = ("site", "scanner", "manufacturer", "protocol", "field_strength")
"""Columns that say how a volume was acquired, and nothing of the subject."""
LARGE_EFFECT = 0.3


def headline(validity: Validity, level: int) -> str:
    """The report's first sentence."""
    if validity.set_by_user:
        back = "come back" if validity.k in validity.passing else "do not come back reliably"
        found = f"{validity.k} groups of subjects, as was set: they {back} when subjects are drawn again."
        return _shown(found, validity, level)
    if not validity.passing:
        shown = (
            f"The {level} groups below were asked for."
            if level > 1
            else "So none is shown: all subjects are one group, which is an answer."
        )
        return (
            f"No groups of subjects come back: {_none_of(validity.range[0], validity.largest)} when subjects are drawn again. "
            f"{shown}"
        )
    several = len(validity.passing) > 1
    between = f" ({spans(validity.passing)} come back)" if several else ""
    nature = {
        "separate": "with gaps between them",
        "continuous": "as regions of a continuum without gaps",
        "ward": "by Ward's criterion",
    }[validity.method]
    return _shown(
        f"{validity.k} groups of subjects can be told apart reproducibly{between}, {nature}.", validity, level
    )


def _shown(found: str, validity: Validity, level: int) -> str:
    """What was found, and the level of the report where it is another one."""
    if level == validity.k:
        return found
    return (
        f"{found} {chosen(validity, level, 'groups') if level > 1 else 'This report shows all subjects as one group.'}"
    )


def _none_of(low: int, high: int) -> str:
    return f"{low} groups are not reproducible" if low == high else f"no number from {low} to {high} is reproducible"


def explanation(validity: Validity, subjects: int) -> list[str]:
    """How the number was found, and what its limits are."""
    texts = [
        "Subjects were drawn again and grouped anew. A number of groups is reproducible where the index (1: the same groups "
        "each time) is at least 0.75 and 0.05 above that of sets without structure, and no group dissolves; of those near the "
        "best the largest is taken.",
    ]
    if validity.largest < validity.range[1]:
        texts.append(
            f"Whether more than {validity.largest} groups come back was not tried: {subjects} subjects are too few. The tree "
            "divides groups further; these levels are for looking at, and nothing says that they are reproducible."
        )
    if validity.passing and not validity.set_by_user and validity.k == validity.largest:
        texts.append(
            "The largest number that was tried is recommended: there may be more groups than so many subjects show."
        )
    return texts


def cautions(
    job: Job[SubjectSettings], validity: Validity, found: SubjectAssociations, subjects: int
) -> Iterator[Caution]:
    """Warnings for the first lines of the report."""
    if subjects < FEW_SUBJECTS:
        yield Caution(f"There are only {subjects} subjects.", "Groups of so few may not be found in others.")
    if found.level > 1 and not validity.passing:
        yield Caution(
            f"The {found.level} groups shown do not come back when subjects are drawn again.",
            "They were asked for; other subjects of the same kind would be grouped in another way.",
        )
    elif found.level > 1 and found.level not in validity.passing and found.level > validity.k:
        yield Caution(
            f"The {found.level} groups shown are finer than what comes back ({validity.k}).",
            "Finer groups may be chance.",
        )
    for row in found.columns:
        if row.column.lower() in ACQUISITION and row.q <= NOTABLE_Q and row.effect >= LARGE_EFFECT:
            yield Caution(
                f"The groups follow the column {row.column} (effect {row.effect:.2f}, q {row.q:.2g}).",
                "They may be groups of scanners rather than of subjects. Harmonize the volumes first, or group each alone.",
            )
