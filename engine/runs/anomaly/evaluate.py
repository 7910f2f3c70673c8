"""evaluate: what each score finds among the images that were not trained on, and what grey values alone find."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from ...steps.films.index import FilmIndex, film_index
from .documents import EVALUATION, Detected, Evaluation, Score
from .score import SHOWN, scores_of
from .settings import AnomalySettings
from .split import ANY, SPLIT, TEST, TRAIN, parts_of

PROPERTIES = ("mean_intensity", "pixel_entropy", "packed_bytes", "file_bytes")
THRESHOLD_PERCENTILE = 95.0
LEAST_CASES = 2
"""Images of either kind that an area under a curve needs."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The films that were not trained on."""

    rows: Array
    """Rows of films.zarr."""
    normal: Array
    """bool (n,): whether a film has the label of normal ones."""
    labels: Array
    """Labels (n,), object."""
    subjects: Array
    known: bool
    """Whether both kinds are there."""


def write_evaluation(job: Job[AnomalySettings], unit: Unit) -> Outcome:
    """Judge every score, and every property of grey values."""
    outcome = Outcome()
    with outcome.clock("read"):
        index, parts, scores = film_index(job.folder), parts_of(job.folder), scores_of(job.folder)
    with outcome.clock("compute"):
        judged = judged_of(index, parts, job.settings)
        tones = {name: index.properties[name][judged.rows].astype(np.float64) for name in PROPERTIES}
        tones = {name: values for name, values in tones.items() if len(np.unique(values)) > 1}
        document = Evaluation(
            trained=int((parts == TRAIN).sum()),
            judged=len(judged.rows),
            subjects=len(set(judged.subjects)),
            labels=dict(sorted(Counter(judged.labels).items())),
            normal=job.settings.normal if judged.known else "",
            shown=SHOWN,
            scores={name: _score(values[judged.rows], judged, tones, job) for name, values in scores.items()},
            properties={name: _score(values, judged, tones, job) for name, values in tones.items()},
            notes=tuple(_notes(job)),
        )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    outcome.facts.update(films=len(judged.rows))
    return outcome


def judged_of(index: FilmIndex, parts: Array, settings: AnomalySettings) -> Judged:
    """The films of the test part. Those without a label are none of either kind where labels are known."""
    rows = np.flatnonzero(parts == TEST)
    labels = index.texts["label"][rows]
    lower = np.char.lower(labels.astype(str))
    normal = lower == settings.normal.lower()
    unlabelled = lower == ""
    known = settings.normal.lower() != ANY and min(normal.sum(), (~normal & ~unlabelled).sum()) >= LEAST_CASES
    if not known:
        normal = np.ones(len(rows), bool)
    return Judged(rows, normal, labels, index.texts["subject"][rows], bool(known))


def _notes(job: Job[AnomalySettings]) -> list[str]:
    receipt = Ledger(job.folder.out, SPLIT, job.ledger_key(SPLIT)).find(SPLIT)
    return list(receipt.facts["notes"]) if receipt else []


def _score(values: Array, judged: Judged, tones: dict[str, Array], job: Job[AnomalySettings]) -> Score:
    from ....models.evaluation.detection import auroc, detection
    from ....models.evaluation.tone_check import rank_correlation

    normal = judged.normal
    detected, by_label = None, {}
    if judged.known:
        labelled = normal | (judged.labels != "")
        subjects = judged.subjects[labelled].astype(str)
        figures = detection(~normal[labelled], values[labelled], subjects, seed=job.settings.seed)
        detected = Detected(
            auroc=figures.auroc,
            low=figures.auroc_low,
            high=figures.auroc_high,
            auprc=figures.auprc,
            auprc_low=figures.auprc_low,
            auprc_high=figures.auprc_high,
        )
        for label in sorted(set(judged.labels[~normal]) - {""}):
            chosen = normal | (judged.labels == label)
            by_label[label] = auroc(~normal[chosen], values[chosen])
    return Score(
        detected=detected,
        by_label=by_label,
        tone={name: rank_correlation(values[normal], tone[normal]) for name, tone in tones.items()},
        threshold=float(np.percentile(values[normal], THRESHOLD_PERCENTILE)) if normal.any() else None,
    )
