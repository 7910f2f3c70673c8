"""dependence_cautions: warnings that clusters follow a slide, a stain or a scanner, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .numbers import percent
from .page import Caution

if TYPE_CHECKING:
    from ...models.evaluation.bound import BoundCluster
    from ...models.evaluation.dependence import Dependence

MARKED_INFORMATION = 0.1
"""Information above chance from which clusters are said to follow a stain, scanner or site.

Twelve slides in two stains, one with nine tenths of its tiles in one cluster: 0.25."""
MARKED_SLIDE_INFORMATION = 0.3
"""The same for slides, which differ by their tissue too. Two slides, each with nine tenths of its tiles in a cluster: 0.53."""
WORST_P = 0.05
"""Largest p-value at which this is said, where the slides are enough to reach it."""

MAX_BOUND = 5
"""Clusters that one caution names."""
REMEDIES = {
    "stain": "Cluster each stain on its own: leave out --stains together, and name the stains in the list of slides.",
    "scanner": "Normalise the stains to one slide (--normalize), or cluster the scanners apart.",
    "site": "Normalise the stains to one slide (--normalize), and compare sites with care.",
    "slide": "Look at the {noun}: its stain, focus, folds or pen may differ, or it may hold a tissue that no other has.",
}
"""Column -> what to do; the first column that a cluster is bound to is the one that is named."""
OF_VOLUMES = {
    "stain": "Cluster the images of each kind on their own.",
    "scanner": "Harmonize the volumes first (`tile-engine run harmonize`), or cluster the scanners apart.",
    "site": "Harmonize the volumes first (`tile-engine run harmonize`), and compare sites with care.",
    "slide": "Look at the {noun}: its contrast, resolution or artefacts may differ, or it may hold what no other has.",
}
"""The same of volumes, which have no stain."""


def dependence_cautions(
    found: Sequence[Dependence], bound: Sequence[BoundCluster], *, noun: str = "slide"
) -> tuple[Caution, ...]:
    """Cautions for the first lines of a report; none where nothing depends on anything. `noun` is what an image is called."""
    named: list[tuple[BoundCluster, dict[str, BoundCluster]]] = []
    for cluster in dict.fromkeys(b.cluster for b in bound):
        own = {b.column: b for b in bound if b.cluster == cluster}
        named += [(own[column], own) for column in REMEDIES if column in own][:1]
    cautions = list[Caution]()
    for column in dict.fromkeys(one.column for one, _ in named):
        of_column = [(one, own) for one, own in named if one.column == column]
        several = len(of_column) > 1
        cautions.append(_all_bound(of_column, noun) if several else _bound_caution(*of_column[0], noun))
    cautions += [_follows(d, noun) for d in found if d.column in REMEDIES and _marked(d)]
    return tuple(cautions)


def silent_reasons(found: Sequence[Dependence], noun: str = "slide") -> tuple[str, ...]:
    """A sentence for each column about which nothing can be said; `noun` is what an image is called, in the reasons too."""
    silent = [d for d in found if d.reason]
    columns = [noun if d.column == "slide" else d.column for d in silent]
    return tuple(f"Nothing can be said of the {name}: {d.reason}." for name, d in zip(columns, silent, strict=True))


def _marked(d: Dependence) -> bool:
    """Whether the clusters follow a column more than chance explains; few slides cannot reach a small p-value."""
    if d.column == "slide":
        return d.adjusted >= MARKED_SLIDE_INFORMATION
    return d.adjusted >= MARKED_INFORMATION and d.p <= max(WORST_P, 1.25 * d.least_p)  # p is drawn: give or take


def _follows(d: Dependence, noun: str) -> Caution:
    column = noun if d.column == "slide" else d.column
    text = (
        f"Normalised mutual information of cluster and {column} is {d.nmi:.2f}, {d.adjusted:.2f} above chance "
        f"(0: independent; 1: each says the other)."
    )
    if d.least_p > WORST_P:
        text += f" {d.slides} {noun}s are too few to tell this from chance."
    return Caution(f"The clusters follow the {column}.", f"{text} {_remedy(d.column, noun)}")


def _remedy(column: str, noun: str) -> str:
    return (OF_VOLUMES if noun == "volume" else REMEDIES)[column].format(noun=noun)


def _all_bound(named: Sequence[tuple[BoundCluster, dict[str, BoundCluster]]], noun: str) -> Caution:
    """Several clusters that are each bound to one value of a column."""
    column = named[0][0].column
    what = f"one {noun} each" if column == "slide" else f"{noun}s of one {column} each"
    places = [f"cluster {one.cluster} on {one.value} ({percent(one.share)} of its tiles)" for one, _ in named]
    more = f", and {len(places) - MAX_BOUND} more" if len(places) > MAX_BOUND else ""
    text = f"{', '.join(places[:MAX_BOUND])}{more}. {_remedy(column, noun)}"
    return Caution(f"{len(named)} clusters lie almost wholly on {what}.", f"{text[:1].upper()}{text[1:]}")


def _bound_caution(named: BoundCluster, own: dict[str, BoundCluster], noun: str) -> Caution:
    thing = {"slide": f"{noun} {named.value}", "site": f"{noun}s of site {named.value}"}
    where = thing.get(named.column, f"{noun}s of {named.column} {named.value}")
    if named.column != "slide" and "slide" in own:
        where += f" ({noun} {own['slide'].value})"
    text = f"{percent(named.share)} of its tiles lie there, against {percent(named.prevalence)} of all tiles."
    return Caution(f"Cluster {named.cluster} lies almost wholly on {where}.", f"{text} {_remedy(named.column, noun)}")
