"""documents: the JSON documents of `run harmonize`: records of its generators, and the judgement."""

from __future__ import annotations

from ...pipeline.documents import Document, JsonNumber
from ...steps.checkpoints import ModelRecord
from .judgement import Judgement


class LightRecord(ModelRecord):
    """Record of a light generator."""

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


class GanRecord(ModelRecord):
    """Record of a CycleGAN's generator."""

    sites: tuple[str, ...]
    """The sites whose images it harmonizes."""
    receptive_field: int
    """Cells that one cell of its output depends on, along an axis."""
    images: tuple[int, ...]
    """Number of images of every site, the target last, that it was trained on."""


JUDGEMENT = "models/judgement"


class JudgementDocument(Document):
    """models/judgement.json: the figures of all methods."""

    judgement: Judgement
    held_out: str
    """How the images that fitting did not see were chosen."""
