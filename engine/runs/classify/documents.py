"""documents: the JSON documents of a run that classifies films: who is where, the networks' records, and the evaluation."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber, Part
from ...steps.checkpoints import ModelRecord

FOLDS = "models/folds"
EVALUATION = "models/evaluation"


class PartSizes(Part):
    """Films of a network's parts, by label."""

    train: dict[str, int]
    validation: dict[str, int]
    test: dict[str, int]
    """Films that it judges; none of their subjects is in another part."""
    site: str = ""
    """The only site that it was trained on; empty for networks of all sites."""


class Folds(Document):
    """models/folds.json: how the films are divided. Rows of films.zarr/part are in the order of `networks`."""

    classes: tuple[str, ...]
    """Labels in the order of the networks' outputs; the one without what is looked for is the first."""
    networks: dict[str, PartSizes]
    stated: bool
    """Whether a column `split` of the list decided."""
    repeats: int
    pretraining: dict[str, int]
    """Label of the task that is learned first -> films."""
    sites: dict[str, dict[str, int]]
    """Site -> label -> films."""
    subjects: int
    learned: tuple[str, ...] = ()
    """Digests of the subjects that the final network was trained on, in plain spelling; of earlier versions as listed."""
    intensities: tuple[JsonNumber, ...] = ()
    """1st and 99th percentile of the mean intensity of the labelled films."""
    notes: tuple[str, ...] = ()


class StageRecord(Part):
    """A stage of a training, and what was set on its validation part."""

    name: str
    slope: JsonNumber
    """Calibration: probabilities are softmax(slope * logits + offset for the last class)."""
    offset: JsonNumber
    threshold: JsonNumber
    """Probability of the second of two classes from which it is named; None for more classes."""
    validation_loss: JsonNumber


class ClassifierRecord(ModelRecord):
    """Record of a network that classifies films."""

    classes: tuple[str, ...]
    films: int
    """Films that it was trained on, without the validation part."""
    validation: int
    stages: tuple[StageRecord, ...]

    @property
    def last(self) -> StageRecord:
        return self.stages[-1]


class PretrainedRecord(ModelRecord):
    """Record of the network that the others start from."""

    classes: tuple[str, ...]
    """Labels of the other task; empty where weights were taken as they are."""
    films: int
    validation_auroc: JsonNumber
    """On the other task's validation films, of two labels."""


class Interval(Part):
    """A figure and its 95 % interval, by the bootstrap over subjects."""

    value: JsonNumber
    low: JsonNumber
    high: JsonNumber


class Method(Part):
    """A method beside the network, on the same films: pixels, or a property of the film or its file."""

    auroc: Interval
    accuracy: JsonNumber = None
    """Where the method names a class."""


class SiteFigures(Part):
    """The networks' figures on the films of one site."""

    films: dict[str, int]
    """Label -> films."""
    accuracy: Interval
    """Wilson's interval, which counts films as independent."""
    auroc: JsonNumber
    """None where the site has one label."""


class SiteCell(Part):
    """A cell of the matrix of sites."""

    train_site: str
    test_site: str
    auroc: Interval
    films: int
    networks: int


class Confound(Part):
    """How much of the area under the curve the site alone gives."""

    site_alone: JsonNumber
    """Area of the share of ill films at each film's site."""
    within_sites: JsonNumber
    """Area of the network over pairs of films of one site; None where each site has one label."""
    pairs_within: JsonNumber
    """Share of the pairs that are of one site."""
    site_named: Interval
    """How often a linear discriminant of 32 x 32 pixels names the site, by folds of subjects."""
    largest_site: JsonNumber


class Comparison(Part):
    """DeLong's comparison of two areas on the same films."""

    first: str
    second: str
    difference: JsonNumber
    low: JsonNumber
    high: JsonNumber
    p: JsonNumber


class Evaluation(Document):
    """models/evaluation.json: figures of films whose subjects were not trained on."""

    classes: tuple[str, ...]
    films: dict[str, int]
    """Label -> judged films."""
    subjects: int
    network: dict[str, Interval]
    """Figure -> its value: the mean over repeats of the folds."""
    stages: dict[str, dict[str, Interval]]
    """Stage of the training -> its figures; empty where there was one."""
    majority: JsonNumber
    """Accuracy of naming the most frequent training label always."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true label; columns: label that is named."""
    methods: dict[str, Method]
    comparisons: tuple[Comparison, ...]
    sites: dict[str, SiteFigures]
    site_matrix: tuple[SiteCell, ...]
    confound: Confound | None
    smallest_validation: int
    """Films of the smallest validation part."""
    notes: tuple[str, ...]
