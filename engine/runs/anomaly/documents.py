"""documents: models/evaluation.json of a run that scores anomalies: what each score finds, and what grey values alone find."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part

EVALUATION = "models/evaluation"


class Detected(Part):
    """How well a score puts abnormal images above normal ones, of images that were not trained on."""

    auroc: JsonNumber
    low: JsonNumber
    """Lower end of the 95 % interval, by the bootstrap over subjects; None for few of them."""
    high: JsonNumber
    auprc: JsonNumber
    auprc_low: JsonNumber
    auprc_high: JsonNumber


class Score(Part):
    """One score, or one property of grey values."""

    detected: Detected | None
    """None where no labels are known."""
    single: JsonNumber
    """AUROC of single tiles or slices, each with the label of its slide or volume; None where a row is one image."""
    by_label: dict[str, JsonNumber]
    """Label -> AUROC of its images against the normal ones."""
    tone: dict[str, JsonNumber]
    """Property -> rank correlation of the score with it, over normal images that are judged; None of one value, or of few
    rows."""
    threshold: JsonNumber
    """95th percentile of the score over normal images that are judged."""


class Difference(Part):
    """The area under the curve of the shown score less that of a property of grey values, turned where it is below chance."""

    name: str
    difference: JsonNumber
    low: JsonNumber
    """Lower end of the 95 % interval, by the bootstrap over subjects."""
    high: JsonNumber


class Evaluation(Document):
    """models/evaluation.json of a run that scores anomalies."""

    trained: int
    judged: int
    """Rows that were not trained on; all rows where none was held out."""
    unseen: bool
    """Whether none of them was trained on."""
    subjects: int
    """Subjects of these."""
    labels: dict[str, int]
    """Label -> judged images; those under "" have none, and no area under a curve is of them."""
    labelled_subjects: int | None = None
    """Subjects of the judged images that have a label; None in a document of before it was counted."""
    normal: str
    """The label that was trained on; empty where all images count as normal."""
    shown: str
    """The score that galleries and maps are sorted by."""
    scores: dict[str, Score]
    properties: dict[str, Score]
    """Mean intensity, entropy of pixels, packed size, size of the file: what is found without any model."""
    differences: tuple[Difference, ...]
    """Empty where labels are not known, or are of few subjects."""
    notes: tuple[str, ...]
    """What the division of the images gives to know."""

    @property
    def labelled(self) -> int:
        """Judged images that have a label."""
        return self.judged - self.labels.get("", 0)
