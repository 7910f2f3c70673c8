"""verdict: in plain words, whether the labels of films can be told, and how sure that is."""

from __future__ import annotations

from ...show.numbers import whole
from .documents import Evaluation


def headline(document: Evaluation, classes: str, networks: str) -> str:
    """The report's first sentences; `classes` and `networks` name what is told apart, and by whom."""
    films = sum(document.films.values())
    if not document.network:
        return f"Labels {classes}, told by {networks}. How well cannot be judged: the films do not have two of these labels."
    area, accuracy = document.network["auroc"], document.network["accuracy"]
    right, majority = accuracy.value or 0.0, document.majority or 0.0
    if area.low is None or area.value is None:
        claim = f"Whether {classes} can be told apart is not certain, of so few subjects"
    elif area.low > 0.5:
        claim = f"The labels {classes} can be told apart"
    else:
        claim = f"The labels {classes} cannot be told apart better than by chance, as far as these films show"
    interval = "" if area.low is None or area.high is None else f" (95 % interval {area.low:.3f} to {area.high:.3f})"
    value = (
        "" if area.value is None else f"the area under the curve is {area.value:.3f}{interval}, where chance is 0.5; "
    )
    return (
        f"{claim}: {value}{whole(right)} of {films:,} films of {document.subjects:,} subjects are named rightly by {networks}, "
        f"and naming the most frequent label always is right for {whole(majority)}."
    )
