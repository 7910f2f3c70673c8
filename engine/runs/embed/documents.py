"""documents: the JSON document of a run on whole volumes: the evaluation of embeddings."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part

EVALUATION = "models/evaluation"


class Figure(Part):
    """A figure of the evaluation over folds: mean, standard deviation, interval."""

    mean: JsonNumber
    sd: JsonNumber
    low: JsonNumber
    """Lower end of the 95 % interval of the mean."""
    high: JsonNumber
    folds: tuple[JsonNumber, ...]
    """Value of each fold; empty for a figure that is computed over all folds together."""
    volumes: int | None = None
    """Of a figure over all folds together, the volumes that have a value; None in a document of before it was counted."""


class FoldSize(Part):
    """Number of volumes that a fold trains on and is evaluated on."""

    trained: int
    judged: int
    classed: int | None = None
    """Judged volumes with a class, of which agreement and retrieval are; None in a document of before it was counted."""


class Evaluation(Document):
    """models/evaluation.json: the evaluation of the embeddings, by method."""

    folds: dict[str, FoldSize]
    by_subject: bool
    """False if there are no folds; figures are then of volumes that the network was trained on."""
    why: str
    """Why there are fewer folds than the setting `cv`; empty if there are as many."""
    classes: dict[str, int]
    """Class -> number of volumes."""
    subjects: int
    methods: dict[str, dict[str, Figure]]
    """Network or baseline -> name of the figure -> figure."""
    left_out: tuple[str, ...] = ()
    """Columns of numbers that no figure is given for, each with the reason."""
