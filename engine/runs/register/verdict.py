"""verdict: in plain words, how many sections were registered, and how near landmarks lie then."""

from __future__ import annotations

from collections.abc import Sequence

from ...steps.sections.documents import PairRecord
from .documents import Evaluation


def headline(pairs: Sequence[PairRecord], blocks: int, evaluation: Evaluation) -> str:
    """The report's first sentences."""
    accepted = [pair for pair in pairs if pair.accepted]
    moved = sum(pair.moved for pair in accepted)
    lie = len(accepted) - moved
    still = "was left as it lies" if lie == 1 else "were left as they lie"
    left = f"; {lie} {still}, as no stage was better on tissue held out" if lie else ""
    blocks_of = f"{blocks} block{'' if blocks == 1 else 's'}"
    done = f"{moved} of {len(pairs)} sections of {blocks_of} {'was' if moved == 1 else 'were'} registered"
    text = f"{done} to the reference of their block{left}."
    if evaluation.all is None or evaluation.all.average_median is None:
        return f"{text} There are no landmarks, so how near they lie is for the eye: look at the pairs below."
    figures = [pair for pair in evaluation.pairs.values() if pair.median_before is not None]
    before = sum(pair.median_before or 0.0 for pair in figures) / len(figures) if figures else None
    was = f", {100 * before:.2f} % before" if before is not None else ""
    return (
        f"{text} Landmarks that no registration saw lie at {100 * evaluation.all.average_median:.2f} % of the diagonal from "
        f"their place{was} (median of a pair, mean over {evaluation.all.pairs} pairs)."
    )
