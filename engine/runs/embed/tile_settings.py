"""Settings of runs that embed tiles."""

from __future__ import annotations

from ...steps.settings import OfSlides, Tiled


class SlideTiles(Tiled, OfSlides):
    """Every setting of `run embed --slides`, with its default."""
