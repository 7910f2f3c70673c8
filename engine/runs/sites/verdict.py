"""verdict: in plain words, whether images tell the site that they come from, beside what tells nothing of it."""

from __future__ import annotations

from ...show.numbers import whole
from .documents import Evaluation
from .evaluate import NETWORK


def headline(document: Evaluation, images: str) -> str:
    """The report's first sentences, on images of this name: volumes, slides."""
    if not sum(document.counts):
        judged = sum(fold.judged for fold in document.folds.values())
        return (
            f"Whether {images} tell which of {len(document.sites)} sites they come from is not known: networks named the sites "
            f"of {judged} {images}, and the list states the site of none of them that was judged."
        )
    network, majority = document.methods[NETWORK], document.majority or 0.0
    accuracy, judged = network.accuracy or 0.0, sum(document.counts)
    interval = "its interval is not known"
    if network.low is not None and network.high is not None:
        interval = f"95 % interval {whole(network.low)} to {whole(network.high)}"
    subjects = f" of {document.judged_subjects} subjects" if document.judged_subjects is not None else ""
    if network.low is not None and network.low > majority:
        claim = f"{images.capitalize()} tell which of {len(document.sites)} sites they come from"
    elif accuracy > majority:
        claim = f"Whether {images} tell which of {len(document.sites)} sites they come from is not certain"
    else:
        claim = f"{images.capitalize()} do not tell which of {len(document.sites)} sites they come from"
    return (
        f"{claim}: networks name it rightly for {whole(accuracy)} ({interval}) of {judged} {images}{subjects} that they did "
        f"not see; naming the most frequent site always is right for {whole(majority)}."
    )
