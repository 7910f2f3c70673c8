"""verdict: in plain words, whether images tell the site that they come from, beside what tells nothing of it."""

from __future__ import annotations

from ...show.numbers import whole
from .documents import Evaluation
from .evaluate import NETWORK


def headline(document: Evaluation, images: str) -> str:
    """The report's first sentences, on images of this name: volumes, slides."""
    network, majority = document.methods[NETWORK], document.majority or 0.0
    accuracy, low, high = network.accuracy or 0.0, network.low or 0.0, network.high or 1.0
    if low > majority:
        claim = f"{images.capitalize()} tell which of {len(document.sites)} sites they come from"
    elif accuracy > majority:
        claim = f"Whether {images} tell which of {len(document.sites)} sites they come from is not certain"
    else:
        claim = f"{images.capitalize()} do not tell which of {len(document.sites)} sites they come from"
    return (
        f"{claim}: networks name it rightly for {whole(accuracy)} (95 % interval {whole(low)} to {whole(high)}) of "
        f"{document.images} {images} of {document.subjects} subjects that they did not see; naming "
        f"the most frequent site always is right for "
        f"{whole(majority)}."
    )
