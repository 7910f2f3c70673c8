"""documents: the JSON documents of a cluster run, on its heads, its clusterer and its clusters."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord
from ...steps.report import AUTOENCODER, Trained

VALIDITY, CLUSTERS = "models/validity", "models/clusters"
HEAD, CLUSTERER = "head", "clusterer"


class IndexValue(Part):
    """The value of one validity index for the labels of one head."""

    clusters: int
    seed: int
    index: str
    value: JsonNumber
    """None if the index cannot be computed."""


class HeadRow(Part):
    """Quality of the trained head of one K and seed (see `HeadQuality`)."""

    clusters: int
    seed: int
    loss: JsonNumber
    effective: JsonNumber
    smallest: JsonNumber
    information: JsonNumber
    restarts: int
    collapsed: bool


class Validity(Document):
    """models/validity.json: the K that the validity indices recommend, and every index of every head."""

    k: int
    seed: int
    """Seed of the chosen head."""
    range: tuple[int, int]
    """Smallest and largest K that were tried."""
    objective: str
    agreement: str
    """A sentence for the report: whether the indices agree."""
    best: dict[str, int]
    """Index -> K with the best value of that index."""
    mean_ranks: dict[int, float]
    """K -> mean rank over indices and seeds."""
    standard_errors: dict[int, float]
    indices: tuple[IndexValue, ...]
    heads: tuple[HeadRow, ...]

    @property
    def ranks(self) -> dict[int, tuple[float, float]]:
        """K -> mean rank and its standard error; the choice of K is based on these."""
        return {k: (mean, self.standard_errors[k]) for k, mean in self.mean_ranks.items()}


class Clusters(Document):
    """models/clusters.json: the clusters in order of their number; cluster 1 is the largest."""

    order: tuple[int, ...]
    """Number - 1 -> index of the cluster in the network."""
    tiles: tuple[int, ...]
    shares: tuple[float, ...]
    """Share of each cluster in all tissue tiles, from 0 to 1."""
    slides: dict[str, tuple[int, ...]]
    """Image -> number of tiles of each cluster."""


class Quality(Part):
    """Quality of the clusters (see `models.training.finetune.FineTuneOutcome`)."""

    effective: JsonNumber
    smallest: JsonNumber
    information: JsonNumber
    collapsed: bool


class Guards(Part):
    """Quality of the clusters before and after fine-tuning, and which clusters were kept."""

    kept: str
    before: Quality
    after: Quality

    @property
    def fine_tuned(self) -> bool:
        return self.kept == FINE_TUNED


FINE_TUNED = "fine-tuned"


class HeadRecord(ModelRecord):
    """Record of the chosen head."""

    seed: int


class ClustererRecord(ModelRecord):
    """Record of the fine-tuned clusterer."""

    guards: Guards


TRAINED: tuple[Trained, ...] = (
    AUTOENCODER,
    (HEAD, "heads", HeadRecord),
    (CLUSTERER, "fine-tuning", ClustererRecord),
)
"""The trainings of a run, in order."""
