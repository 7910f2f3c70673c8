"""The first sentence says whether the site is told, beside the most frequent one, and does not say more than is known."""

from __future__ import annotations

import pytest

from tile_engine.engine.runs.sites.documents import Accuracy, Evaluation, FoldSize
from tile_engine.engine.runs.sites.evaluate import NETWORK
from tile_engine.engine.runs.sites.verdict import headline


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((0.9, 0.75, 0.97), "Volumes tell which of 2 sites they come from"),
        ((0.6, 0.35, 0.8), "Whether volumes tell which of 2 sites they come from is not certain"),
        ((0.4, 0.2, 0.6), "Volumes do not tell which of 2 sites they come from"),
    ],
)
def test_the_interval_decides(figures: tuple[float, float, float], said: str) -> None:
    accuracy, low, high = figures
    found = Accuracy(accuracy=accuracy, low=low, high=high, balanced=accuracy)
    document = Evaluation.model_construct(
        sites=("A", "B"),
        images=30,
        subjects=25,
        counts=(12, 8),
        judged_subjects=18,
        majority=0.5,
        methods={NETWORK: found},
    )
    text = headline(document, "volumes")
    assert text.startswith(said) and "of 20 volumes of 18 subjects" in text and "is right for 50 %" in text
    assert f"rightly for {accuracy * 100:.0f} % (95 % interval {low * 100:.0f} % to" in text


def test_an_interval_that_is_not_known_is_no_wide_one() -> None:
    found = Accuracy(accuracy=0.9, low=None, high=None, balanced=0.9)
    document = Evaluation.model_construct(
        sites=("A", "B"), counts=(1, 1), judged_subjects=2, majority=0.5, methods={NETWORK: found}
    )
    text = headline(document, "volumes")
    assert "is not certain" in text and "90 % (its interval is not known)" in text


def test_where_no_judged_image_has_a_site_nothing_is_claimed() -> None:
    document = Evaluation.model_construct(
        sites=("A", "B"), counts=(0, 0), folds={"split": FoldSize(trained=9, judged=4)}, majority=None, methods={}
    )
    text = headline(document, "slides")
    assert "is not known" in text and "of 4 slides" in text and "%" not in text
