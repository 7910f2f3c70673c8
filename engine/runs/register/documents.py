"""documents: how far landmarks of registered sections lie from their places in the reference."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part

EVALUATION = "evaluation"


class PairFigures(Part):
    """The landmarks of one pair: distances by the diagonal of the reference (rTRE), as BIRL and ANHIR give them."""

    block: str
    stain: str
    landmarks: int
    unmatched: int
    """Rows of one of the two tables that have none in the other one."""
    lost: int
    """Landmarks that have no place in the reference: they count as not improved."""
    median_before: JsonNumber
    affine_oracle: JsonNumber
    """Median under the affine map that is fitted to these very landmarks; None for too few of them."""
    median: JsonNumber
    mean: JsonNumber
    p90: JsonNumber
    largest: JsonNumber
    robustness: JsonNumber
    """Share of the landmarks that lie nearer than before."""


class AllFigures(Part):
    """The figures of all pairs, as ANHIR aggregates them."""

    pairs: int
    average_median: JsonNumber
    median_median: JsonNumber
    average_mean: JsonNumber
    average_largest: JsonNumber
    average_robustness: JsonNumber


class Evaluation(Document):
    """evaluation.json: figures of every pair with landmarks, and of all of them."""

    pairs: dict[str, PairFigures]
    """By block and section: BLOCK/SECTION, both as ids."""
    all: AllFigures | None
    """None where no pair has landmarks."""
