"""RegisterSettings: what a user may ask of a run that registers the sections of blocks."""

from __future__ import annotations

from ...steps.sections.settings import SectionSettings


class RegisterSettings(SectionSettings):
    """Every setting of `run register`, with its default."""
