"""evaluate: what each score finds among the rows that were not trained on, and what grey values alone find."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from .documents import EVALUATION, Detected, Evaluation, Score
from .medium import TEST, TRAIN, Medium
from .score_names import SHOWN
from .split import ANY, SPLIT

THRESHOLD_PERCENTILE = 95.0
LEAST_CORRELATED = 8
"""Normal rows of which a rank correlation says something."""
LEAST_CASES = 2
"""Rows of either kind that an area under a curve needs."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows that were not trained on; all rows where none was held out."""

    rows: Array
    normal: Array
    """bool (n,): whether a row has the label of normal ones."""
    labels: Array
    """Labels (n,), object."""
    subjects: Array
    names: Array
    known: bool
    """Whether both kinds are there."""
    unseen: bool
    """Whether none of them was trained on."""


def write_evaluation(job: Job[Any], unit: Unit, *, medium: Medium) -> Outcome:
    """Judge every score, and every property of grey values."""
    outcome = Outcome()
    with outcome.clock("read"):
        parts, scores = medium.parts(job), medium.scores(job)
        judged, properties = judged_of(job, medium, scores[SHOWN]), medium.properties(job)
    with outcome.clock("compute"):
        tones = {name: values[judged.rows] for name, values in properties.items()}
        tones = {name: values for name, values in tones.items() if len(np.unique(values)) > 1}
        single = _single(job, judged, medium)
        document = Evaluation(
            trained=int((parts == TRAIN).sum()),
            judged=len(judged.rows),
            unseen=judged.unseen,
            subjects=len(set(judged.subjects)),
            labels=dict(sorted(Counter(judged.labels).items())),
            normal=job.settings.normal if judged.known else "",
            shown=SHOWN,
            scores={
                name: _score(values[judged.rows], judged, tones, job).model_copy(update={"single": single.get(name)})
                for name, values in scores.items()
            },
            properties={name: _score(values, judged, tones, job) for name, values in tones.items()},
            notes=tuple(_notes(job)),
        )
    with outcome.clock("write"):
        outcome.files.append(write_document(job, EVALUATION, document))
    outcome.facts["rows"] = len(judged.rows)
    return outcome


def judged_of(job: Job[Any], medium: Medium, scores: Array) -> Judged:
    """The scored rows of the test part, or all where there is none. Rows without a label are of neither kind."""
    texts, parts = medium.texts(job), medium.parts(job)
    unseen = bool((parts == TEST).any())
    rows = np.flatnonzero((parts == (TEST if unseen else TRAIN)) & np.isfinite(scores) & (texts["reason"] == ""))
    labels, usual = texts["label"][rows], job.settings.normal.lower()
    lower = np.char.lower(labels.astype(str))
    normal = lower == usual
    known = usual != ANY and min(normal.sum(), (~normal & (lower != "")).sum()) >= LEAST_CASES
    return Judged(
        rows=rows,
        normal=normal if known else np.ones(len(rows), bool),
        labels=labels,
        subjects=texts["subject"][rows],
        names=texts["name"][rows],
        known=bool(known),
        unseen=unseen,
    )


def _single(job: Job[Any], judged: Judged, medium: Medium) -> dict[str, float]:
    """Score -> AUROC of single images, each with the label of its row; empty where that is not known."""
    from ....models.evaluation.detection import auroc

    if not judged.known or medium.single is None:
        return {}
    labelled = judged.normal | (judged.labels != "")
    values, owners = medium.single(job, judged.rows[labelled])
    abnormal = np.isin(owners, judged.rows[~judged.normal])
    return {name: auroc(abnormal, each) for name, each in values.items()}


def _notes(job: Job[Any]) -> list[str]:
    receipt = Ledger(job.folder.out, SPLIT, job.ledger_key(SPLIT)).find(SPLIT)
    return list(receipt.facts["notes"]) if receipt else []


def _score(values: Array, judged: Judged, tones: dict[str, Array], job: Job[Any]) -> Score:
    from ....models.evaluation.detection import auroc, detection
    from ....models.evaluation.tone_check import rank_correlation

    normal = judged.normal
    enough = normal.sum() >= LEAST_CORRELATED
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
        single=None,
        by_label=by_label,
        tone={name: rank_correlation(values[normal], tone[normal]) if enough else None for name, tone in tones.items()},
        threshold=float(np.percentile(values[normal], THRESHOLD_PERCENTILE)) if normal.any() else None,
    )
