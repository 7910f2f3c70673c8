"""cautions: what a reader of the report should know before the figures."""

from __future__ import annotations

from collections.abc import Iterator

from ...show.page import Caution
from ...steps.first_looks import noted
from .documents import Evaluation, Interval, Method
from .evaluate import PIXELS

FEW_FILMS = 30
"""Films of a label below which the share that is named rightly is hardly known."""
FEW_VALIDATION = 10
"""Films of a validation part below which threshold and calibration are hardly known."""
PLAIN_AREA = 0.65
"""Area under the curve from which a property of the file or the site alone is worth a warning."""


def cautions_of(document: Evaluation) -> Iterator[Caution]:
    for note in document.notes:
        yield noted(note)
    if not document.network:
        return
    yield from _of_sites(document)
    yield from _of_properties(document)
    yield from _of_numbers(document)


def _of_sites(document: Evaluation) -> Iterator[Caution]:
    one_label = [site for site, figures in document.sites.items() if len(figures.films) == 1]
    if len(document.sites) > 1 and len(one_label) == len(document.sites):
        yield Caution(
            "Each site has one label: the network may tell sites apart and not what is in the films.",
            "No figure of this run can tell the two apart. Add films of both labels from each site.",
        )
    confound = document.confound
    if confound is None:
        return
    alone = confound.site_alone
    if alone is not None and alone >= PLAIN_AREA:
        within = f" Within sites its area is {confound.within_sites:.3f}." if confound.within_sites is not None else ""
        yield Caution(
            f"The site alone has an area under the curve of {alone:.3f}.",
            f"Part of what the network finds may be the site.{within}",
        )


def _of_properties(document: Evaluation) -> Iterator[Caution]:
    area = document.network["auroc"].value
    for name, method in document.methods.items():
        plain = distance(method)
        if plain is None or area is None or _holds_chance(method.auroc):
            continue
        if name == PIXELS:
            if plain >= abs(area - 0.5):
                yield Caution(
                    "A logistic regression on small pixels is as good as the network.",
                    "The network was trained too little, or on too few films.",
                )
        elif plain >= abs(area - 0.5):
            yield Caution(
                f"{_called(name)} alone tells the labels apart as well as the network.",
                f"Its area under the curve is {method.auroc.value:.3f}: labels may go with how films were taken or stored.",
            )
        elif plain >= PLAIN_AREA - 0.5:
            yield Caution(
                f"{_called(name)} alone has an area under the curve of {method.auroc.value:.3f}.",
                "Part of what the network finds may be how films were taken or stored.",
            )


def _of_numbers(document: Evaluation) -> Iterator[Caution]:
    from ....models.evaluation.wilson import wilson

    label, count = min(document.films.items(), key=lambda item: item[1])
    if count < FEW_FILMS:
        place = document.classes.index(label)
        right = document.confusion[place][place]
        low, high = wilson(right, count)
        yield Caution(
            f"Only {count} judged films have the label {label}.",
            f"{right} of {count} are named rightly: the interval of that share is {low:.2f} to {high:.2f} (Wilson).",
        )
    if 0 < document.smallest_validation < FEW_VALIDATION:
        yield Caution(
            f"The smallest validation part has {document.smallest_validation} films of a label.",
            "Threshold and calibration are set on them, and are hardly known. Give more films, or a larger --validation.",
        )
    area, accuracy = document.network["auroc"], document.network["accuracy"].value
    if area.high is not None and area.high < 0.5:
        yield Caution(
            "The area under the curve lies below chance.",
            "This comes from few subjects, from chance, or from test images that differ from those of training: the label may "
            "go with the site or scanner otherwise among them.",
        )
    elif area.low is not None and area.low <= 0.5:
        yield Caution(
            "The network may be no better than chance.", "The interval of its area under the curve holds 0.5."
        )
    if accuracy is not None and document.majority is not None and accuracy <= document.majority:
        yield Caution(
            f"The network is right no more often ({accuracy:.3f}) than the most frequent label ({document.majority:.3f}).",
            "Judge it by area and balanced accuracy.",
        )


def distance(method: Method) -> float | None:
    """How far an area lies from chance, whichever way round."""
    return None if method.auroc.value is None else abs(method.auroc.value - 0.5)


def _holds_chance(area: Interval) -> bool:
    return area.low is not None and area.high is not None and area.low <= 0.5 <= area.high


def _called(name: str) -> str:
    return name.replace("_", " ").capitalize()
