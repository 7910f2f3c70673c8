"""tile_settings: settings of runs that embed tiles."""

from __future__ import annotations

from ...steps.settings import EncoderSettings, SlideSettings, TileSettings, VolumeTileSettings

__all__ = ["SlideTileSettings", "VolumeTileSettings"]


class SlideTileSettings(TileSettings, EncoderSettings, SlideSettings):
    """Every setting of `run embed --slides`, with its default."""
