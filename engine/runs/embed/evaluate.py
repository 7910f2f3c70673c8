"""evaluate: the quality of a run's embeddings on volumes that the networks did not see, beside baselines of the same size.

```text
fold: network <- training rows      principal components <- training rows      raw values
         `-> embeddings of all rows     `-> embeddings of all rows              `-> distances
      k-means fitted on training rows, neighbours among training rows, both evaluated on the fold's own rows
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ....stores.frame import Array
from ...pipeline.documents import find_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.covariates import covariates
from ...steps.volumes.dataset import Volumes
from ...steps.volumes.encode import embeddings, errors
from ...steps.volumes.networks import WHOLE
from .documents import EVALUATION, Evaluation, Figure, FoldSize
from .folds import folds_of, why_not
from .number_columns import number_columns, probed_columns
from .settings import EmbedSettings

if TYPE_CHECKING:
    from ....models.training.components import ComponentsOfFolds

COMPONENTS, RAW = "principal components", "raw values"
PROBED = {"auc": "AUC", "mae": "mean absolute error", "r": "r"}
"""Figures of probes, as they are called behind the name of a column."""


def evaluate_embeddings(job: Job[EmbedSettings], unit: Unit) -> Outcome:
    """Write models/evaluation.json: every figure of every network and baseline, over the folds."""
    from threadpoolctl import threadpool_limits

    outcome = Outcome()
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):  # the last digits depend on the threads
        document = evaluation(job)
    if document.left_out:
        outcome.notices.append(f"left out of the evaluation, of the list: {', '.join(document.left_out)}")
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    return outcome


def evaluation(job: Job[EmbedSettings]) -> Evaluation:
    """Figures by method, over folds; without folds, the figures of volumes that the networks were trained on."""
    from ....models.training.components import ComponentsOfFolds

    folds = folds_of(job)
    judged = {name: rows for name, rows in folds.items() if name != WHOLE} or folds
    rows: dict[str, dict[str, list[float]]] = {}
    guesses: dict[tuple[str, str], Array] = {}
    fold_of, volumes = np.full(len(job.slides), -1), Volumes(job)
    components = ComponentsOfFolds(volumes)
    cells = int(np.prod(volumes[np.zeros(1, np.int64)].shape))
    columns = probed_columns(job, [train for train, _ in judged.values()])
    for number, (fold, (train, test)) in enumerate(judged.items()):
        fold_of[test] = number
        for method, outputs in _methods(job, components, fold=fold, train=train, cells=cells).items():
            if method != RAW:
                rows.setdefault(method, {}).setdefault("rmse %", []).append(
                    100 * float(np.sqrt(outputs[1][test].mean()))
                )
            for figure, value in _figures(job, method, outputs[0], (train, test)):
                rows.setdefault(method, {}).setdefault(figure, []).append(value)
            for column, guess in () if method == RAW else _probes(columns.values, outputs[0], train, test):
                guesses.setdefault((method, column), np.full(len(job.slides), np.nan))[test] = guess
    methods = {m: {f: _spread(values) for f, values in figures.items()} for m, figures in rows.items()}
    for (method, column), guess in guesses.items():
        methods[method] |= _describe(job, column, guess, fold_of)
    what = covariates(job)
    return Evaluation(
        folds={
            name: FoldSize(trained=len(a), judged=len(b), classed=int((what.labels[b] >= 0).sum()))
            for name, (a, b) in judged.items()
        },
        by_subject=WHOLE not in judged,
        why=why_not(job),
        classes={c: int((what.labels == i).sum()) for i, c in enumerate(what.classes)},
        subjects=len(np.unique(what.subjects)),
        methods=methods,
        left_out=columns.left_out,
    )


def _methods(
    job: Job[EmbedSettings], components: ComponentsOfFolds, *, fold: str, train: Array, cells: int
) -> dict[str, tuple[Array, Array]]:
    """Method -> (embeddings of all volumes, their squared errors), each fitted without the fold's own volumes."""
    methods = {
        network: (embeddings(job, network, fold), errors(job, network, fold)) for network in job.settings.networks
    }
    if len(train) < 2:
        return methods
    found, length = components.read(train)
    size = min(job.settings.embedding_size, found.shape[1])
    residuals = np.maximum(length - np.square(found[:, :size], dtype=np.float64).sum(1), 0.0) / cells
    # distances between all components equal distances between raw values, up to a constant per query
    return methods | {COMPONENTS: (found[:, :size], residuals), RAW: (found, np.zeros(len(found)))}


def _figures(
    job: Job[EmbedSettings], method: str, embeddings_NF: Array, rows: tuple[Array, Array]
) -> Iterator[tuple[str, float]]:
    """Clustering and retrieval figures of embeddings: `rows` holds the training rows and the evaluated rows."""
    from ....models.evaluation.agreement import kmeans_agreement
    from ....models.evaluation.cases import LabelledCases
    from ....models.evaluation.retrieval import retrieval

    what = covariates(job)
    cases = LabelledCases(embeddings_NF, what.labels, what.subjects)
    training_cases, test_cases = cases[rows[0]], cases[rows[1]]
    if len(np.unique(training_cases.classes[training_cases.classes >= 0])) < 2 or not (test_cases.classes >= 0).any():
        return
    for name, spread in ({} if method == RAW else kmeans_agreement(training_cases, test_cases)).items():
        yield f"k-means {name.replace('_', ' ')}", spread.mean
    same_rows = len(rows[0]) == len(cases)
    for name, value in (retrieval(cases, cases) if same_rows else retrieval(training_cases, test_cases)).items():
        yield name.replace("_", " "), value


def _probes(
    columns: Mapping[str, Array], embeddings_NF: Array, train: Array, test: Array
) -> Iterator[tuple[str, Array]]:
    """Linear probes: predictions for the fold's own volumes by models fitted on embeddings of training volumes."""
    from ....models.evaluation.probes import logistic, ridge

    for name, values in columns.items():
        mask = np.isfinite(values)
        fit_rows, test_rows = train[mask[train]], test[mask[test]]
        if not len(test_rows) or len(np.unique(values[fit_rows])) < 2:
            continue
        two = len(np.unique(values[mask])) == 2
        guess = np.full(len(values), np.nan)
        coded = (values == np.nanmax(values)).astype(int) if two else values
        guess[test_rows] = (logistic if two else ridge)(embeddings_NF, coded, [(fit_rows, test_rows)])[test_rows]
        yield name, guess[test]


def _describe(job: Job[EmbedSettings], column: str, guess: Array, folds: Array) -> dict[str, Figure]:
    """Figures of a probe over all folds, with intervals over subjects; `folds`: the fold that evaluated each volume."""
    from ....models.evaluation.probes import probe_figures

    values = number_columns(job).values[column]
    mask = np.isfinite(values) & np.isfinite(guess)
    found = probe_figures(values[mask], guess[mask], folds[mask], covariates(job).subjects[mask])
    count = int(mask.sum())
    return {
        f"{column} {PROBED[name]}": Figure(mean=one.value, sd=None, low=one.low, high=one.high, folds=(), volumes=count)
        for name, one in found.items()
    }


def _spread(values: list[float]) -> Figure:
    """Mean and standard deviation over folds, and Student's 95 % confidence interval of the mean."""
    from scipy.stats import t

    sample = np.array(values, float)
    mean, n = float(sample.mean()), len(sample)
    sd = float(sample.std(ddof=1)) if n > 1 else None
    # an interval from two folds is too wide to use
    half = float(t.ppf(0.975, n - 1)) * sd / n**0.5 if sd is not None and n > 2 else None
    ends = (mean - half, mean + half) if half is not None else (None, None)
    return Figure(mean=mean, sd=sd, low=ends[0], high=ends[1], folds=tuple(sample.tolist()))


def best(job: Job[EmbedSettings]) -> str:
    """The network whose embeddings fill the table: the one with the lowest reconstruction error on volumes it did not see."""
    document = find_document(job.folder, EVALUATION, Evaluation)
    methods = document.methods if document else {}
    names = [n for n in job.settings.networks if n in methods]
    rmse = {name: methods[name]["rmse %"].mean for name in names}
    figures = {name: mean for name, mean in rmse.items() if mean is not None}
    return min(figures, key=lambda name: figures[name]) if figures else job.settings.networks[0]
