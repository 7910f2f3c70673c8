"""Job: what any worker needs to know of a run to do one of its units, read back from OUT. Units carry names, not arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from ...stores.folder import Folder
from ...stores.image import StoredImage
from ...stores.slides.guarded import Piece
from ...stores.source import Source
from .record import ImageRecord, digest
from .settings import RunSettings

if TYPE_CHECKING:
    from .modality import Modality
    from .spec import Pipeline


S = TypeVar("S", bound=RunSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class Job(Generic[S]):
    """A run as its workers see it."""

    folder: Folder
    settings: S
    """As the pipeline's variant has them."""
    spacing: float
    """Micrometres a pixel that the run aims at; a slide's own differs by 5 % at most."""
    slides: dict[str, ImageRecord]
    """Images that the run can use, by id."""
    fingerprints: dict[str, str]
    pipeline: Pipeline
    crashing: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    """Image -> tiles that end the process that decodes them: they are masked."""

    @property
    def modality(self) -> Modality:
        return self.pipeline.modality

    @property
    def pixels(self) -> str:
        """Which pixels the stores keep: all, tissue or none; of volumes, all."""
        return self.settings.stored_pixels

    def ledger_key(self, step: str, slide: str = "") -> str:
        """The fingerprint that a unit's receipt must carry."""
        base = self.fingerprints[step]
        if not slide:
            return base
        record = self.slides[slide]
        return digest(base, record.key)

    def view(self, image: str) -> Source:
        """The image's own file, seen at the spacing that the run works at."""
        return self.modality.read(self, image)

    def image(self, image: str) -> Source:
        """The image at the run's spacing: from its store, or from its own file where the store keeps no pixels."""
        return self.view(image) if self.pixels == "none" else self.modality.scaled(self.stored(image))

    def stored(self, slide: str) -> StoredImage:
        return StoredImage.open(self.folder.slide(slide))
