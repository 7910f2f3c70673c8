"""The first sentence says whether labels can be told apart, by the interval of the area under the curve."""

from __future__ import annotations

import pytest

from tile_engine.engine.runs.classify.documents import Evaluation, Interval
from tile_engine.engine.runs.classify.verdict import headline


@pytest.mark.parametrize(
    ("area", "said"),
    [
        ((0.9, 0.8, 0.95), "The labels ill and well can be told apart: "),
        ((0.55, 0.45, 0.65), "The labels ill and well cannot be told apart better than by chance"),
        ((0.9, None, None), "Whether ill and well can be told apart is not certain, of so few subjects: "),
        (None, "Labels ill and well, told by networks. How well cannot be judged"),
    ],
)
def test_the_interval_decides(area: tuple[float, float | None, float | None] | None, said: str) -> None:
    network = {}
    if area:
        value, low, high = area
        network = {
            "auroc": Interval(value=value, low=low, high=high),
            "accuracy": Interval(value=0.8, low=0.7, high=0.9),
        }
    document = Evaluation.model_construct(films={"ill": 20, "well": 30}, subjects=40, network=network, majority=0.6)
    text = headline(document, "ill and well", "networks")
    assert text.startswith(said)
    assert not area or "80 % of 50 films of 40 subjects are named rightly by networks" in text
