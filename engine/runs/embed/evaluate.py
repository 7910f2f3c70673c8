"""evaluate: the quality of a run's embeddings on volumes that the networks did not see, beside baselines of the same size.

```text
fold: network <- training rows      principal components <- training rows      raw values
         `-> embeddings of all rows     `-> embeddings of all rows              `-> distances
      k-means fitted on training rows, neighbours among training rows, both evaluated on the fold's own rows
```
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....stores.frame import Array
from ...pipeline.documents import find_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.covariates import covariates
from ...steps.volumes.dataset import Volumes
from .documents import EVALUATION, Evaluation, Figure, FoldSize
from .encode import embeddings, errors
from .folds import WHOLE, folds_of, why_not
from .settings import EmbedSettings

COMPONENTS, RAW = "principal components", "raw values"
MOST_NUMBERS = 20
"""Columns of the user's list that are evaluated, at most."""


def evaluate_embeddings(job: Job[EmbedSettings], unit: Unit) -> Outcome:
    """Write models/evaluation.json: every figure of every network and baseline, over the folds."""
    from threadpoolctl import threadpool_limits

    outcome = Outcome()
    with outcome.clock("compute"), threadpool_limits(job.settings.threads):  # the last digits depend on the threads
        document = evaluation(job)
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    return outcome


def evaluation(job: Job[EmbedSettings]) -> Evaluation:
    """Figures by method, over folds; without folds, the figures of volumes that the networks were trained on."""
    folds = folds_of(job)
    judged = {name: rows for name, rows in folds.items() if name != WHOLE} or folds
    rows: dict[str, dict[str, list[float]]] = {}
    guesses: dict[tuple[str, str], Array] = {}
    held = Volumes(job)
    for fold, (train, test) in judged.items():
        for method, made in _methods(job, held, fold, train).items():
            if method != RAW:
                rows.setdefault(method, {}).setdefault("rmse %", []).append(100 * float(np.sqrt(made[1][test].mean())))
            for figure, value in _figures(job, method, made[0], (train, test)):
                rows.setdefault(method, {}).setdefault(figure, []).append(value)
            for column, guess in () if method == RAW else _probes(job, made[0], train, test):
                guesses.setdefault((method, column), np.full(len(job.slides), np.nan))[test] = guess
    methods = {m: {f: _spread(values) for f, values in figures.items()} for m, figures in rows.items()}
    for (method, column), guess in guesses.items():
        methods[method] |= _describe(job, column, guess)
    what = covariates(job)
    return Evaluation(
        folds={name: FoldSize(trained=len(a), judged=len(b)) for name, (a, b) in judged.items()},
        by_subject=WHOLE not in judged,
        why=why_not(job),
        classes={c: int((what.labels == i).sum()) for i, c in enumerate(what.classes)},
        subjects=len(np.unique(what.subjects)),
        methods=methods,
    )


def _methods(job: Job[EmbedSettings], held: Volumes, fold: str, train: Array) -> dict[str, tuple[Array, Array]]:
    """Method -> (embeddings of all volumes, their squared errors), each fitted without the fold's own volumes."""
    from ....models.training.components import Components

    made = {network: (embeddings(job, network, fold), errors(job, network, fold)) for network in job.settings.networks}
    if len(train) < 2:
        return made
    whole, length = Components(_Rows(held, train), len(train) - 1).read(held)
    cells = np.prod(held[np.zeros(1, np.int64)].shape)
    size = min(job.settings.embedding_size, whole.shape[1])
    left = np.maximum(length - np.square(whole[:, :size], dtype=np.float64).sum(1), 0.0) / cells
    # distances between all components equal distances between raw values, up to a constant per query
    return made | {COMPONENTS: (whole[:, :size], left), RAW: (whole, np.zeros(len(whole)))}


class _Rows:
    """A subset of the prepared volumes, by row."""

    def __init__(self, held: Volumes, rows: Array) -> None:
        self._held, self._rows = held, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Array) -> Array:
        return self._held[self._rows[index]]


def _figures(
    job: Job[EmbedSettings], method: str, found: Array, rows: tuple[Array, Array]
) -> Iterator[tuple[str, float]]:
    """Clustering and retrieval figures of embeddings: `rows` holds the training rows and the evaluated rows."""
    from ....models.evaluation.agreement import kmeans_agreement
    from ....models.evaluation.cases import LabelledCases
    from ....models.evaluation.retrieval import retrieval

    what = covariates(job)
    cases = LabelledCases(found, what.labels, what.subjects)
    seen, unseen = cases[rows[0]], cases[rows[1]]
    if len(np.unique(seen.classes[seen.classes >= 0])) < 2 or not (unseen.classes >= 0).any():
        return
    for name, spread in ({} if method == RAW else kmeans_agreement(seen, unseen)).items():
        yield f"k-means {name.replace('_', ' ')}", spread.mean
    alike = len(rows[0]) == len(cases)
    for name, value in (retrieval(cases, cases) if alike else retrieval(seen, unseen)).items():
        yield name.replace("_", " "), value


def columns(job: Job[EmbedSettings]) -> dict[str, Array]:
    """Columns of the list with numbers (age) or two values (sex) for at least 80 % of volumes: float (n,), NaN if unknown."""
    records = list(job.slides.values())
    out: dict[str, Array] = {}
    names = list(dict.fromkeys(name for r in records for name in r.columns))
    for name in names[:MOST_NUMBERS]:
        said = [r.columns.get(name, "").strip() for r in records]
        if name in (job.settings.label, "split", "mask"):
            continue
        values = np.array([_number(s) for s in said])
        kinds = sorted({s for s in said if s})
        if len(kinds) == 2:
            values = np.array([float(kinds.index(s)) if s else np.nan for s in said])
        if np.isfinite(values).mean() >= 0.8 and len(np.unique(values[np.isfinite(values)])) > 1:
            out[name] = values
    return out


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _probes(job: Job[EmbedSettings], found: Array, train: Array, test: Array) -> Iterator[tuple[str, Array]]:
    """Linear probes: predictions for the fold's own volumes by models fitted on embeddings of training volumes."""
    from ....models.evaluation.probes import logistic, ridge

    for name, values in columns(job).items():
        sound = np.isfinite(values)
        fit, ask = train[sound[train]], test[sound[test]]
        if not len(ask) or len(np.unique(values[fit])) < 2:
            continue
        two = len(np.unique(values[sound])) == 2
        guess = np.full(len(values), np.nan)
        coded = (values == np.nanmax(values)).astype(int) if two else values
        guess[ask] = (logistic if two else ridge)(found, coded, [(fit, ask)])[ask]
        yield name, guess[test]


def _describe(job: Job[EmbedSettings], column: str, guess: Array) -> dict[str, Figure]:
    """Figures of a probe over all folds together, with a bootstrap interval over subjects."""
    from ....models.evaluation.probes import area, bootstrap, regression_figures

    values, subjects = columns(job)[column], covariates(job).subjects
    sound = np.isfinite(values) & np.isfinite(guess)
    values, guess, subjects = values[sound], guess[sound], subjects[sound]
    two = len(np.unique(values)) == 2

    def figure(rows: Array) -> float:
        return area(values[rows], guess[rows]) if two else regression_figures(values[rows], guess[rows])["mae"]

    low, high = bootstrap(figure, subjects)
    name = f"{column} AUC" if two else f"{column} mean absolute error"
    out = {name: Figure(mean=figure(np.arange(len(values))), sd=None, low=low, high=high, folds=())}
    if not two:
        r = regression_figures(values, guess)["r"]
        out[f"{column} r"] = Figure(mean=r, sd=None, low=None, high=None, folds=())
    return out


def _spread(values: list[float]) -> Figure:
    """Mean and standard deviation over folds, and Student's 95 % confidence interval of the mean."""
    from scipy.stats import t

    found = np.array(values, float)
    mean, n = float(found.mean()), len(found)
    sd = float(found.std(ddof=1)) if n > 1 else None
    # an interval from two folds is too wide to use
    half = float(t.ppf(0.975, n - 1)) * sd / n**0.5 if sd is not None and n > 2 else None
    ends = (mean - half, mean + half) if half is not None else (None, None)
    return Figure(mean=mean, sd=sd, low=ends[0], high=ends[1], folds=tuple(found.tolist()))


def best(job: Job[EmbedSettings]) -> str:
    """The network whose embeddings fill the table: the one with the lowest reconstruction error on volumes it did not see."""
    found = find_document(job.folder, EVALUATION, Evaluation)
    methods = found.methods if found else {}
    names = [n for n in job.settings.networks if n in methods]
    missed = {name: methods[name]["rmse %"].mean for name in names}
    figures = {name: mean for name, mean in missed.items() if mean is not None}
    return min(figures, key=lambda name: figures[name]) if figures else job.settings.networks[0]
