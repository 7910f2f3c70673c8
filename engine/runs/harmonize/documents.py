"""documents: the JSON documents of `run harmonize`: records of its generators, and the judgement."""

from __future__ import annotations

from pydantic import ConfigDict

from ...pipeline.documents import Document, JsonNumber
from ...steps.checkpoints import ModelRecord
from .judgement import Judgement


class GeneratorRecord(ModelRecord):
    """What every generator of a run states."""

    model_config = ConfigDict(extra="ignore")

    key: str
    """Fingerprint of its training."""
    held_out: tuple[str, ...]
    """Images that its fitting did not see."""
    why: str
    """How they were chosen."""


class LightRecord(GeneratorRecord):
    """Record of a light generator."""

    model_config = ConfigDict(extra="forbid")

    site: str
    """The site whose images it harmonizes."""
    distances: tuple[JsonNumber, ...]
    """Distance of the distributions after each step of the fit of the tone."""
    variances: tuple[JsonNumber, ...]
    """Cells squared, by axis, by which the site's images are blurred more than the target's."""
    noise: JsonNumber
    """Standard deviation of the noise that they have beyond the target's, in units of the scale."""
    images: tuple[int, int]
    """Number of images of the site and of the target that it was fitted on."""


class GanRecord(GeneratorRecord):
    """Record of a CycleGAN's generator."""

    model_config = ConfigDict(extra="forbid")

    sites: tuple[str, ...]
    """The sites whose images it harmonizes."""
    receptive_field: int
    """Cells that one cell of its output depends on, along an axis."""
    images: tuple[int, ...]
    """Number of images of every site, the target last, that it was trained on."""
    matched: dict[str, tuple[str, ...]]
    """Source site -> columns (age, sex) by which people of the target were drawn like the site's."""


JUDGEMENT = "models/judgement"


class JudgementDocument(Document):
    """models/judgement.json: the figures of all methods."""

    judgement: Judgement
    held_out: str
    """How the images that fitting did not see were chosen."""
