"""evaluate: what each score finds among the rows that were not trained on, and what grey values alone find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....stores.frame import Array
from ....stores.lists.spellings import are_spelt
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import write_document
from .documents import EVALUATION, Detected, Difference, Evaluation, Score
from .medium import TEST, TRAIN, Medium
from .score_names import SHOWN
from .split import ANY, SPLIT

THRESHOLD_PERCENTILE = 95.0
LEAST_CORRELATED = 8
"""Normal rows of which a rank correlation says something."""
LEAST_CASES = 2
"""Subjects of either kind that an area under a curve needs."""
LEAST_DRAWN = 5
"""Subjects of either kind from which on an interval is given: draws of fewer are too much alike."""
MANY_VALUES = 20_000_000
"""Rows times draws of the bootstrap, about, where there are many rows."""
MOST_DRAWS, FEWEST_DRAWS = 1000, 100
MOST_LABELS = 8
"""Labels that have an area of their own, the most frequent ones."""


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

    @property
    def labelled(self) -> Array:
        """bool (n,): whether a row is of either kind."""
        return np.asarray(self.normal | (self.labels != ""))

    @property
    def has_intervals(self) -> bool:
        kinds = (self.normal, ~self.normal & (self.labels != ""))
        return min(len(np.unique(self.subjects[kind])) for kind in kinds) >= LEAST_DRAWN

    @property
    def draws(self) -> int:
        """Draws of the bootstrap."""
        return max(FEWEST_DRAWS, min(MOST_DRAWS, MANY_VALUES // max(1, len(self.rows))))


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
            labelled_subjects=len(set(judged.subjects[judged.labels != ""])),
            normal=job.settings.normal if judged.known else "",
            shown=SHOWN,
            scores={
                name: _score(values[judged.rows], judged, tones, job).model_copy(update={"single": single.get(name)})
                for name, values in scores.items()
            },
            properties={name: _score(values, judged, tones, job) for name, values in tones.items()},
            differences=tuple(_differences(scores[SHOWN][judged.rows], judged, tones, job)),
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
    labels = texts["label"][rows]
    normal = np.array(are_spelt(map(str, labels), job.settings.normal), bool)
    subjects = texts["subject"][rows].astype(str)
    kinds = (normal, ~normal & (labels != ""))
    knows_normal = job.settings.normal.lower() != ANY
    known = knows_normal and min(len(np.unique(subjects[kind])) for kind in kinds) >= LEAST_CASES
    unlabelled = not knows_normal or not (labels != "").any()
    return Judged(
        rows=rows,
        normal=np.ones(len(rows), bool) if unlabelled else normal,
        labels=labels,
        subjects=subjects,
        names=texts["name"][rows],
        known=bool(known),
        unseen=unseen,
    )


def _single(job: Job[Any], judged: Judged, medium: Medium) -> dict[str, float]:
    """Score -> AUROC of single images, each with the label of its row; empty where that is not known."""
    from ....models.evaluation.ranking import auroc

    if not judged.known or medium.single is None:
        return {}
    values, owners = medium.single(job, judged.rows[judged.labelled])
    abnormal = np.isin(owners, judged.rows[~judged.normal])
    return {name: auroc(abnormal, each) for name, each in values.items()}


def _differences(values: Array, judged: Judged, tones: dict[str, Array], job: Job[Any]) -> Iterator[Difference]:
    """The area of the shown score less that of each property of grey values, turned round where it is below chance."""
    from ....models.evaluation.detection import differences
    from ....models.evaluation.ranking import auroc

    if not (judged.known and judged.has_intervals):
        return
    rows, abnormal = judged.labelled, ~judged.normal[judged.labelled]
    turned = {name: tone[rows] if auroc(abnormal, tone[rows]) >= 0.5 else -tone[rows] for name, tone in tones.items()}
    found = differences(
        abnormal, values[rows], turned, judged.subjects[rows], draws=judged.draws, seed=job.settings.seed
    )
    for name, one in found.items():
        yield Difference(name=name, difference=one.difference, low=one.low, high=one.high)


def _notes(job: Job[Any]) -> list[str]:
    receipt = Ledger(job.folder.out, SPLIT, job.ledger_key(SPLIT)).find(SPLIT)
    return list(receipt.facts["notes"]) if receipt else []


def _score(values: Array, judged: Judged, tones: dict[str, Array], job: Job[Any]) -> Score:
    from ....models.evaluation.detection import detection
    from ....models.evaluation.ranking import auroc
    from ....models.evaluation.tone_check import rank_correlation

    normal = judged.normal
    enough = normal.sum() >= LEAST_CORRELATED
    detected, by_label = None, {}
    if judged.known:
        labelled = judged.labelled
        figures = detection(
            ~normal[labelled], values[labelled], judged.subjects[labelled], draws=judged.draws, seed=job.settings.seed
        )
        sure = judged.has_intervals
        detected = Detected(
            auroc=figures.auroc,
            low=figures.auroc_low if sure else None,
            high=figures.auroc_high if sure else None,
            auprc=figures.auprc,
            auprc_low=figures.auprc_low if sure else None,
            auprc_high=figures.auprc_high if sure else None,
        )
        counts = Counter(judged.labels[~normal & (judged.labels != "")])
        for label in sorted(label for label, _ in counts.most_common(MOST_LABELS)):
            chosen = normal | (judged.labels == label)
            by_label[label] = auroc(~normal[chosen], values[chosen])
    return Score(
        detected=detected,
        single=None,
        by_label=by_label,
        tone={name: rank_correlation(values[normal], tone[normal]) if enough else None for name, tone in tones.items()},
        threshold=float(np.percentile(values[normal], THRESHOLD_PERCENTILE)) if normal.any() else None,
    )
