"""tile_settings: settings of runs that embed tiles."""

from __future__ import annotations

from ...steps.settings import SlideSettings, TileSettings, VolumeTileSettings

__all__ = ["SlideTileSettings", "VolumeTileSettings"]


class SlideTileSettings(TileSettings, SlideSettings):
    """Every setting of `run embed --slides`, with its default."""
