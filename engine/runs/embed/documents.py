"""What a run on whole volumes writes down of its networks and of how good their embeddings are."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord

EVALUATION = "models/evaluation"


class Figure(Part):
    """A figure over folds."""

    mean: JsonNumber
    sd: JsonNumber
    low: JsonNumber
    """Lower end of the 95 % interval of the mean."""
    high: JsonNumber
    folds: tuple[JsonNumber, ...]
    """Of every fold; empty for a figure over all folds together."""


class FoldSize(Part):
    """Volumes of a fold."""

    trained: int
    judged: int


class Evaluation(Document):
    """models/evaluation.json: how good embeddings are, by method."""

    folds: dict[str, FoldSize]
    by_subject: bool
    """False where there are no folds: figures are of volumes that were trained on."""
    why: str
    """Why there are fewer folds than were asked for; empty where there are as many."""
    classes: dict[str, int]
    """Class -> volumes."""
    subjects: int
    methods: dict[str, dict[str, Figure]]
    """Network or baseline -> figure's name -> figure."""


class NetworkRecord(ModelRecord):
    """A network of whole volumes."""

    volumes: int
    """That it was trained on."""
