"""Toned: an image in a generator's units, with the tone of the light generator for that image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....models.harmonization.measures import Measures
from ....models.networks.tone import Tone
from ....stores.frame import Array, Box, Frame
from .light_generator import toned
from .normalized import Normalized

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Toned:
    """A `Source` of float32 values."""

    source: Normalized
    tone: Tone
    measures: Measures
    shift: Tensor | None
    """The shift of the tone for this image, (1, S)."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        return self.source.frames

    @property
    def channels(self) -> int:
        return self.source.channels

    @property
    def dtype(self) -> str:
        return "float32"

    @property
    def background(self) -> int:
        return 0

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        return self.source.tiles

    def read(self, box: Box, level: int = 0) -> Array:
        """Cells of `box`, float32 (channel, *box.shape)."""
        return toned(self.tone, self.source.read(box, level), box, self.measures, self.shift)
