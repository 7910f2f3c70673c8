"""What a run that clusters writes down of its heads, its clusterer and its clusters."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord
from ...steps.report import AUTOENCODER, Trained

VALIDITY, CLUSTERS = "models/validity", "models/clusters"
HEAD, CLUSTERER = "head", "clusterer"


class IndexValue(Part):
    """A validity index of the labelling by one head."""

    clusters: int
    seed: int
    index: str
    value: JsonNumber
    """None where it cannot be computed."""


class HeadRow(Part):
    """How the head of one K and seed ended (see `HeadQuality`)."""

    clusters: int
    seed: int
    loss: JsonNumber
    effective: JsonNumber
    smallest: JsonNumber
    information: JsonNumber
    restarts: int
    collapsed: bool


class Validity(Document):
    """models/validity.json: which K the validity indices speak for, and every index of every head."""

    k: int
    seed: int
    """Of the head that was chosen."""
    range: tuple[int, int]
    """Smallest and largest K that was tried."""
    objective: str
    agreement: str
    """For people: whether the indices agree."""
    best: dict[str, int]
    """Index -> its own best K."""
    mean_ranks: dict[int, float]
    """K -> mean rank over indices and seeds."""
    standard_errors: dict[int, float]
    indices: tuple[IndexValue, ...]
    heads: tuple[HeadRow, ...]

    @property
    def ranks(self) -> dict[int, tuple[float, float]]:
        """K -> mean rank and its standard error: the figures that the choice of K was made by."""
        return {k: (mean, self.standard_errors[k]) for k, mean in self.mean_ranks.items()}


class Clusters(Document):
    """models/clusters.json: clusters by their number, the largest first."""

    order: tuple[int, ...]
    """Number - 1 -> index of the cluster in the network."""
    tiles: tuple[int, ...]
    shares: tuple[float, ...]
    """Of all tissue tiles."""
    slides: dict[str, tuple[int, ...]]
    """Image -> tiles of each cluster."""


class Quality(Part):
    """How clustering ended (see `models.training.finetune.Outcome`)."""

    effective: JsonNumber
    smallest: JsonNumber
    information: JsonNumber
    collapsed: bool


class Guards(Part):
    """The clusters before and after fine-tuning, and which of them were kept."""

    kept: str
    before: Quality
    after: Quality

    @property
    def fine_tuned(self) -> bool:
        return self.kept == FINE_TUNED


FINE_TUNED = "fine-tuned"


class HeadRecord(ModelRecord):
    """The chosen head."""

    seed: int


class ClustererRecord(ModelRecord):
    """The clusterer, fine-tuned."""

    guards: Guards


TRAINED: tuple[Trained, ...] = (
    AUTOENCODER,
    (HEAD, "heads", HeadRecord),
    (CLUSTERER, "fine-tuning", ClustererRecord),
)
"""The trainings of the run, in order."""
