"""documents: the JSON documents of a cluster run, on the number of clusters, the networks and the tree of clusters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord
from ...steps.report import AUTOENCODER, Trained

Colour = Annotated[str, StringConstraints(pattern="^#[0-9a-f]{6}$")]
"""#rrggbb."""

VALIDITY, CLUSTERS = "models/validity", "models/clusters"
HEAD, FINE_TUNED, CLUSTERER = "head", "fine_tuned", "clusterer"


class IndexValue(Part):
    """The value of one validity index for the clusters of one K and seed."""

    clusters: int
    seed: int
    index: str
    value: JsonNumber
    """None if the index cannot be computed."""


class ReproducibilityRow(Part):
    """How well the clusters of one K and method come back (see `models.evaluation.stability.Reproducibility`)."""

    clusters: int
    method: Literal["separate", "continuous", "ward"]
    rand: float
    chance: float
    jaccard: tuple[float, ...]
    passes: bool


class Validity(Document):
    """models/validity.json: how many kinds can be told apart reproducibly, and every validity index of every K."""

    k: int
    """The number of clusters that the user set, or that is recommended; 1 where no K is reproducible."""
    clusters: int
    """Clusters that are trained: `k`, or where that is 1 the K that comes nearest to being reproducible."""
    method: Literal["separate", "continuous", "ward"]
    """Kinds with gaps between them, or regions of a continuum; ward only where it was asked for."""
    passing: tuple[int, ...]
    """The reproducible Ks of that method."""
    range: tuple[int, int]
    """Smallest and largest K that were asked for."""
    drawn: Literal["patches", "slides", "subjects"]
    """What was drawn again and again: patches, whole slides, or subjects."""
    reproducibility: tuple[ReproducibilityRow, ...]
    indices: tuple[IndexValue, ...]

    @property
    def set_by_user(self) -> bool:
        return self.range[0] == self.range[1]

    @property
    def largest(self) -> int:
        """The largest K that was tried: a tenth of the patches allow no more."""
        return max(row.clusters for row in self.reproducibility)

    @property
    def rows(self) -> list[ReproducibilityRow]:
        """The rows of the method that decides, by K."""
        return [row for row in self.reproducibility if row.method == self.method]


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
        return self.kept == KEPT_FINE_TUNED

    @property
    def collapsed(self) -> bool:
        """Whether fine-tuning was undone because its clusters collapsed."""
        return self.kept == KEPT_BEFORE


KEPT_FINE_TUNED = "fine-tuned"
KEPT_BEFORE = "as before fine-tuning, which collapsed"
KEPT_FROZEN = "not fine-tuned: the objective or the encoder asks for frozen embeddings"
KEPT_CENTRES = "not fine-tuned: these clusters are centres of embeddings, not a network"


class HeadRow(Part):
    """Quality of the trained head of one seed (see `HeadQuality`)."""

    clusters: int
    seed: int
    loss: JsonNumber
    effective: JsonNumber
    smallest: JsonNumber
    information: JsonNumber
    restarts: int
    collapsed: bool


class HeadRecord(ModelRecord):
    """Record of the chosen head."""

    seed: int
    objective: str
    """The objective in use: never auto."""
    heads: tuple[HeadRow, ...]
    """Every seed's head."""
    agreement: JsonNumber
    """Mean adjusted Rand index of every two seeds' heads; None with one seed."""
    baselines: dict[str, JsonNumber]
    """Classical objective -> adjusted Rand index of its clusters and the head's; None where igraph is not installed."""


class FineTunedRecord(ModelRecord):
    """Record of the fine-tuned clusterer, without fine clusters."""

    guards: Guards


class ClustererRecord(ModelRecord):
    """Record of the clusterer with its fine clusters."""

    merges: tuple[tuple[int, int, float], ...]
    """(first, second, height) of the fine clusters, from 0, in order: `second` is dissolved into `first`."""
    patches: tuple[int, ...]
    """Fine cluster -> training patches in it."""
    centres: tuple[tuple[float, ...], ...]
    """Centre of each fine cluster in the space of the clustering: principal components of standardised embeddings."""


class Clusters(Document):
    """models/clusters.json: the tree of clusters. At level K the clusters are 1 to K; each keeps its number at finer levels."""

    numbers: tuple[int, ...]
    """Fine cluster of the network, from 0 -> its number at the finest level."""
    parents: tuple[int, ...]
    """Number -> the cluster that it splits from at the level of its own number; 0 for cluster 1."""
    recommended: int
    """The level that labels and maps show if the user sets none."""
    trained: int
    """The level whose clusters were trained; coarser levels unite them, finer ones divide them."""
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    """Number -> colour as #rrggbb, at every level."""
    tiles: tuple[int, ...]
    """Number at the finest level -> tissue tiles."""
    slides: dict[str, tuple[int, ...]]
    """Image -> tissue tiles of each number at the finest level."""
    unlike: dict[str, int]
    """Image -> tissue tiles that are unlike the training set: farther from their centre than 99 % of its patches."""
    in_float32: tuple[int, int] = (0, 0)
    """Of a run that applied its network in bf16: tiles that were computed in float32, too; those of the same fine cluster."""

    @property
    def finest(self) -> int:
        return len(self.parents)


TRAINED: tuple[Trained, ...] = (
    AUTOENCODER,
    (HEAD, "heads", HeadRecord),
    (FINE_TUNED, "fine-tuning", FineTunedRecord),
)
"""The trainings of a run, in order."""
