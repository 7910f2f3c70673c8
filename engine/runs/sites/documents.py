"""documents: the JSON documents of a run that names sites: its evaluation, and what was found out about its maps."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord

EVALUATION = "models/evaluation"
EXPLANATIONS = "models/explanations"


class SiteRecord(ModelRecord):
    """Record of a network that names sites."""

    sites: tuple[str, ...]
    """The sites in the order of the network's outputs."""
    images: int
    """Number of images that it was trained on."""
    folds_stay: bool = False
    """Whether images that are rejected later move no fold; False in records of before, when folds were then drawn anew."""


class Accuracy(Part):
    """How often the site was named rightly, of images whose subject was not trained on."""

    accuracy: JsonNumber
    low: JsonNumber
    """Lower end of Wilson's 95 % interval, which counts images as independent."""
    high: JsonNumber
    balanced: JsonNumber
    """Mean over sites of the accuracy on the site's images."""


class Shuffled(Part):
    """Accuracy with sites that were shuffled among subjects: what the same evaluation finds where there is nothing to find."""

    method: str
    draws: int
    mean: JsonNumber
    sd: JsonNumber
    p: JsonNumber
    """Share of the draws, the true sites counted as one of them, that are as accurate as the true sites."""


class FoldSize(Part):
    """Number of images that a fold trains on and is evaluated on."""

    trained: int
    judged: int


class Evaluation(Document):
    """models/evaluation.json: how well the network names the site, beside simpler methods and controls."""

    sites: tuple[str, ...]
    counts: tuple[int, ...]
    """Judged images of each site."""
    images: int
    """All images of the run, judged or not."""
    subjects: int
    judged_subjects: int | None = None
    """Subjects of the judged images; None in a document of before it was counted."""
    folds: dict[str, FoldSize]
    why: str
    """Why there are fewer folds than the setting `cv`; empty if there are as many."""
    methods: dict[str, Accuracy]
    """Method -> accuracy."""
    majority: JsonNumber
    """Accuracy of naming the most frequent site of the training images each time."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true site; columns: site that the network names; judged images."""
    shuffled: tuple[Shuffled, ...]
    headers: dict[str, str]
    """Site -> its most frequent matrix and voxel size, with its share."""
    header_tells: bool
    """Whether the header alone names the site better than the majority does."""


class Explained(Part):
    """What was found out about one image's map."""

    image: str
    head: JsonNumber
    """Share of the map's mass inside the head, or the tissue."""
    brain: JsonNumber
    """Inside the brain, where a mask is known."""


class Checked(Part):
    """Checks of one image's map."""

    image: str
    last_layer: JsonNumber
    """Rank correlation of the map with that of a network whose last layer has random weights."""
    all_layers: JsonNumber
    """The same, where all weights are random."""
    deleted: tuple[JsonNumber, ...]
    """Probability of the named site after the cells of most evidence were deleted, by share."""
    random: tuple[JsonNumber, ...]
    """After as many random cells were deleted."""


class Explanations(Document):
    """models/explanations.json: where the maps lie, and whether they say what decides."""

    shares: tuple[JsonNumber, ...]
    """Shares of the cells that are deleted."""
    maps: tuple[Explained, ...]
    checks: tuple[Checked, ...]
