"""evaluate: how well the networks name the site, beside the baseline, the header alone, and shuffled sites.

```text
fold: network <- training images     texture -> logistic regression     header -> decision tree
         `-> site of judged images      `-> site of judged images          `-> site of judged images
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ....models.evaluation.site_classifier import Learner, SiteAccuracy
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import read_record, write_document
from .documents import EVALUATION, Accuracy, Evaluation, FoldSize, Shuffled, SiteRecord
from .folds import cohort_of, folds_of, why_fewer
from .networks import known_rows, load_network, rows_of, shuffled_names, sites_of
from .rows import stored_features
from .settings import FoldSettings
from .textures import textures

NETWORK, HEADER = "network", "header alone"
BASELINE, DISCRIMINANT = "intensities and texture", "intensities and texture, by linear discriminant"
DRAWS = 20
"""Shuffles of the sites, each judged in all folds."""
Probabilities = Callable[[Job[Any]], Array]
"""(job) -> probability of each site (n, K) of every image, nan where no network judges it."""


def evaluate_sites(job: Job[FoldSettings], unit: Unit, *, probabilities: Probabilities) -> Outcome:
    """Write models/evaluation.json."""
    from threadpoolctl import threadpool_limits

    outcome = Outcome()
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):  # the last digits depend on the threads
        document = evaluation(job, probabilities(job))
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    return outcome


def probabilities_of_volumes(job: Job[FoldSettings]) -> Array:
    """Probabilities of the sites of each volume, by the network of the fold that judges it."""
    from ....models.training.classification import probabilities_of

    out = np.full((len(job.slides), len(cohort_of(job).names)), np.nan, np.float32)
    for name, (_, judged) in folds_of(job).items():
        out[judged] = probabilities_of(load_network(job, name), stored_features(job, name)[judged])
    return out


def evaluation(job: Job[FoldSettings], probabilities: Array) -> Evaluation:
    from ....models.evaluation.metrics import confusion
    from ....models.evaluation.site_classifier import (
        accuracy_of,
        discriminant_learner,
        header_learner,
        logistic_learner,
    )

    cohort, folds = cohort_of(job), folds_of(job)
    sites, headers, texture = cohort.sites, header_numbers(job), textures(job)
    judged = known_rows(np.sort(np.concatenate([rows for _, rows in folds.values()])), sites)
    judged = judged[np.isfinite(probabilities[judged]).all(1)]  # a slide without tissue is not judged
    named = probabilities[judged].argmax(1)

    def figure_of(learner: Learner) -> SiteAccuracy:
        """Of the images that the network judges: figures of other images could not be compared."""
        return accuracy_of(_named(job, _or_the_only(learner, sites))[judged], sites[judged])

    figures = {
        NETWORK: accuracy_of(named, sites[judged]),
        BASELINE: figure_of(logistic_learner(texture, sites)),
        DISCRIMINANT: figure_of(discriminant_learner(texture, sites)),
        HEADER: figure_of(header_learner(headers, sites)),
    }
    majority = figure_of(lambda train, test: np.full(len(test), _most(sites[train]))).accuracy
    trained = {name: read_record(job, name, SiteRecord).images for name in folds}
    return Evaluation(
        sites=cohort.names,
        counts=tuple(np.bincount(sites[judged], minlength=len(cohort.names)).tolist()),
        images=len(sites),
        subjects=len(np.unique(cohort.subjects)),
        judged_subjects=len(np.unique(cohort.subjects[judged])),
        folds={name: FoldSize(trained=trained[name], judged=len(test)) for name, (_, test) in folds.items()},
        why=why_fewer(job),
        methods={name: _document(figure) for name, figure in figures.items()},
        majority=majority,
        confusion=tuple(map(tuple, confusion(sites[judged], named, len(cohort.names)).tolist())),
        shuffled=tuple(_shuffled(job, texture)) if len(judged) else (),
        headers=_usual_headers(job),
        header_tells=figures[HEADER].low > majority,
    )


def _named(job: Job[FoldSettings], learner: Learner) -> Array:
    """The site that a learner names, in the folds of the networks, int (n,); -1 where an image is not judged."""
    sites = cohort_of(job).sites
    named = np.full(len(sites), -1)
    for train, judged in folds_of(job).values():
        rows = known_rows(judged, sites)
        if len(rows) and len(train):
            named[rows] = learner(train, rows)
    return named


def _or_the_only(learner: Learner, sites: Array) -> Learner:
    """The learner, but where shuffling or rejections left one site to train on, that site: no model can be fitted to it."""
    return lambda train, test: (
        learner(train, test) if len(set(sites[train].tolist())) > 1 else sites[train[:1]].repeat(len(test))
    )


def _shuffled(job: Job[FoldSettings], texture: Array) -> list[Shuffled]:
    """The controls: sites shuffled among subjects, learned and judged anew each time, in the same folds."""
    from ....models.evaluation.shuffled import shuffled_accuracy
    from ....models.evaluation.site_classifier import logistic_learner, ridge_learner
    from ....models.seeds import numpy_generator

    cohort, folds = cohort_of(job), folds_of(job)
    ridges = {name: ridge_learner(stored_features(job, name)) for name in folds}

    def by_texture(sites: Array) -> float:
        named = _named(job, _or_the_only(logistic_learner(texture, sites), sites))
        return float((named == sites)[named >= 0].mean())

    def by_features(sites: Array) -> float:
        right: list[bool] = []
        for name, (train, judged) in folds.items():
            rows = known_rows(judged, cohort.sites)
            if len(rows) and len(train):
                learner = _or_the_only(ridges[name](sites), sites)
                right += (learner(train, rows) == sites[rows]).tolist()
        return float(np.mean(right))

    out = []
    methods = {
        "logistic regression on intensities and texture": by_texture,
        "ridge classification of the networks' features": by_features,
    }
    for method, accuracy in methods.items():
        source = numpy_generator(job.settings.seed, "shuffled", method)
        found = shuffled_accuracy(accuracy, cohort.sites, cohort.subjects, draws=DRAWS, source=source)
        out.append(Shuffled(method=method, draws=DRAWS, mean=found.mean, sd=found.sd, p=found.p))
    return out + _shuffled_networks(job)


def _shuffled_networks(job: Job[FoldSettings]) -> list[Shuffled]:
    """Accuracy of the networks that were trained on shuffled sites, each judged on the sites of its own shuffle."""
    from ....models.training.classification import probabilities_of

    values = []
    for name in shuffled_names(job):
        sites = sites_of(job, name)
        rows = known_rows(rows_of(job, name)[1], sites)
        named = probabilities_of(load_network(job, name), stored_features(job, name)[rows]).argmax(1)
        values.append(float((named == sites[rows]).mean()))
    if not values:
        return []
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return [Shuffled(method="networks trained anew", draws=len(values), mean=float(np.mean(values)), sd=sd, p=None)]


def header_numbers(job: Job[Any]) -> Array:
    """What the header says of every image, float64 (n, F): matrix and voxel size; of a slide, whose matrix is that of the
    tissue that was scanned, the pixel size alone."""
    records = job.slides.values()
    return np.array([[r.native_spacing] if len(r.shape) == 2 else [*r.native_shape, *r.spacing] for r in records])


def _usual_headers(job: Job[Any]) -> dict[str, str]:
    """Site -> its most frequent header as text."""
    cohort, numbers = cohort_of(job), header_numbers(job)
    usual = {}
    for i, name in enumerate(cohort.names):
        rows = [tuple(np.round(row, 3).tolist()) for row in numbers[cohort.sites == i]]
        for header, count in Counter(rows).most_common(1):  # nothing of a site whose images were all rejected
            usual[name] = f"{_header_text(header)} ({count} of {len(rows)})"
    return usual


def _header_text(header: tuple[float, ...]) -> str:
    if len(header) == 1:
        return f"{header[0]:.4g} µm a pixel"
    matrix = " × ".join(f"{n:.0f}" for n in header[:3])
    return f"{matrix} at {' × '.join(f'{n / 1000:.4g}' for n in header[3:])} mm"


def _most(sites: Array) -> int:
    return int(np.bincount(sites).argmax())


def _document(figure: SiteAccuracy) -> Accuracy:
    return Accuracy(accuracy=figure.accuracy, low=figure.low, high=figure.high, balanced=figure.balanced)
