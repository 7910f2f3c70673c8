"""verdict: in plain words, what the embeddings of volumes group by, beside chance and a method that learns nothing."""

from __future__ import annotations

import math

from ...show.numbers import whole
from .documents import Evaluation, Figure
from .evaluate import COMPONENTS

NEAREST = "macro precision@1"
"""Share of volumes whose nearest one has their class, mean over classes: by chance one over the number of classes."""
RECONSTRUCTED = "rmse %"
GROUPED = "Volumes group by"
PROBED = {"AUC": ("area under the curve", 0.5), "r": ("correlation", 0.0)}
"""Figures of probes that say whether a column is told, and their chance."""


def headline(document: Evaluation, network: str, column: str) -> str:
    """The report's first sentences; `network` made the embeddings, `column` is that of the classes."""
    figures = document.methods.get(network, {})
    grouped, is_grouped = _grouped(document, figures, column)
    seen = "" if document.by_subject else "There are no folds: these are volumes that the network was trained on."
    return " ".join(filter(None, (grouped, _predicted(figures, also=is_grouped), seen)))


def _grouped(document: Evaluation, figures: dict[str, Figure], column: str) -> tuple[str, bool]:
    """Whether the nearest volumes have the same class, in words, and whether they are known to."""
    found = figures.get(NEAREST)
    judged = sum(fold.judged for fold in document.folds.values())
    classed = sum(fold.judged if fold.classed is None else fold.classed for fold in document.folds.values())
    if found is None or found.mean is None:
        text = (
            f"Each of {judged} volumes is one embedding. The list names no two classes in a column {column}, so whether alike "
            f"volumes lie together is not told; the error of reconstruction is {_shown(figures.get(RECONSTRUCTED))} % of the "
            f"range of values ({_beside(document, RECONSTRUCTED, ' %')})."
        )
        return text, False
    chance = 1 / max(1, len(document.classes))
    if found.low is None or found.high is None:
        claim = "Whether volumes group by"
        sure = " is not told for certain, of so few folds"
    elif found.low > chance:
        claim, sure = GROUPED, ""
    elif found.mean > chance:
        claim, sure = "Whether volumes group by", " is not told for certain"
    else:
        claim, sure = "Volumes do not group by", " more than by chance"
    spread = f" ± {whole(found.sd)} over {len(found.folds)} folds" if found.sd is not None else ""
    text = (
        f"{claim} {column}{sure}: the nearest volume of another subject has the same one for {whole(found.mean)}{spread} of "
        f"{classed} volumes (mean over {len(document.classes)} classes; chance {whole(chance)}; {_beside(document, NEAREST)})."
    )
    return text, claim == GROUPED


def _beside(document: Evaluation, name: str, unit: str = "") -> str:
    """The same figure of principal components."""
    baseline = document.methods.get(COMPONENTS, {}).get(name)
    if baseline is None or baseline.mean is None:
        return "no baseline"
    shown = f"{baseline.mean:.3g}{unit}" if unit else f"{whole(baseline.mean)}"
    return f"principal components of as many numbers {shown}"


def _predicted(figures: dict[str, Figure], *, also: bool) -> str:
    """Columns of the list that a linear probe predicts, and whether any does; `also`: beside the classes."""
    claims, tried = [], 0
    for name, figure in figures.items():
        column, _, kind = name.rpartition(" ")
        if figure.folds or figure.mean is None or kind not in PROBED:
            continue
        word, chance = PROBED[kind]
        tried += 1
        if figure.low is not None and figure.low > chance:
            claims.append(f"{column} ({word} {figure.mean:.2f})")
    if claims:
        return f"{'They also' if also else 'Embeddings'} tell {' and '.join(claims)}."
    if tried == 1:
        return "The other column that was tried cannot be told."
    return f"None of the {tried} other columns that were tried can be told." if tried else ""


def below_chance(figures: dict[str, Figure]) -> list[str]:
    """Figures of probes whose interval lies below chance: no finding of the embeddings."""
    chances = {name: PROBED.get(name.rpartition(" ")[2], ("", -math.inf))[1] for name in figures}
    return [n for n, one in figures.items() if not one.folds and one.high is not None and one.high < chances[n]]


def _shown(figure: Figure | None) -> str:
    return "unknown" if figure is None or figure.mean is None else f"{figure.mean:.3g}"
