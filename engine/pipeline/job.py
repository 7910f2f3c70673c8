"""Job: all that a worker needs to execute a unit of a run, read back from OUT, so that units carry names, not arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from ...errors import CorruptError
from ...stores.folder import Folder
from ...stores.image import StoredImage
from ...stores.slides.guarded import Piece
from ...stores.source import Source
from .fingerprints import rejects_before
from .record import ImageRecord, digest
from .settings import RunSettings

if TYPE_CHECKING:
    from .modality import Modality
    from .spec import Pipeline


S = TypeVar("S", bound=RunSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class Job(Generic[S]):
    """A run as its workers see it: folder, settings, images, fingerprints and pipeline."""

    folder: Folder
    settings: S
    """An instance of the settings model of the pipeline's variant."""
    spacing: float
    """Target micrometres per pixel of the run; a slide's own spacing differs by 5 % at most."""
    slides: dict[str, ImageRecord]
    """Accepted images, by id."""
    fingerprints: dict[str, str]
    pipeline: Pipeline
    crashing: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    """Image id -> tiles that crash the process that decodes them; they are masked."""
    opened: dict[str, ImageRecord] = field(default_factory=dict)
    """Images that could be opened, by id, in the order of `slides`: those that a step rejected too."""
    rejecting: dict[str, str] = field(default_factory=dict)
    """Id of an image that a step rejected -> that step."""

    def slides_before(self, step: str) -> dict[str, ImageRecord]:
        """Images that were in use when a step began, by id: with those that it or a later step rejected.

        What a step learned of the whole cohort stays what it was, whatever later steps reject.
        """
        if not self.rejecting:
            return self.slides
        gone = {image for image, name in self.rejecting.items() if rejects_before(self.pipeline, name, step)}
        return {image: record for image, record in self.opened.items() if image not in gone}

    @property
    def modality(self) -> Modality:
        return self.pipeline.modality

    @property
    def unit_counts(self) -> dict[str, int]:
        """Stage -> number of its units, as far as they can be foreseen."""
        return {stage: sum(1 for s in steps for _ in s.units(self)) for stage, steps in self.pipeline.stages.items()}

    @property
    def pixels(self) -> str:
        """Which pixels the stores keep: all, tissue or none; always all for volumes."""
        return self.settings.stored_pixels

    def ledger_key(self, step: str, slide: str = "") -> str:
        """The fingerprint that a unit's receipt must carry. Raises CorruptError where run.json states none."""
        if step not in self.fingerprints:
            raise CorruptError(
                f"{self.folder.out / 'run.json'} states no fingerprint of the step {step!r}: the file was changed or damaged "
                "after it was written."
            )
        base = self.fingerprints[step]
        if not slide:
            return base
        record = self.slides[slide]
        return digest(base, self.pipeline.steps[step].key(record))

    def view(self, image: str) -> Source:
        """The image's own file, resampled to the run's spacing."""
        return self.modality.read(self, image)

    def image(self, image: str) -> Source:
        """The image at the run's spacing: from its store, or from its own file where the store keeps no pixels."""
        return self.view(image) if self.pixels == "none" else self.modality.scaled(self.stored(image))

    def stored(self, slide: str) -> StoredImage:
        return StoredImage.open(self.folder.slide(slide))
