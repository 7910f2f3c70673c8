"""steps: those before a block's pixels are read: coarse pictures of its sections, and their registration, pair by pair."""

from __future__ import annotations

from ....stores.inside import ID_PATTERN
from ....stores.ours import IMAGE_KEYS
from ...pipeline.outputs import Output
from ...pipeline.record import REGISTERED
from ...pipeline.step import Step
from .overviews import overview_units, write_section_overview
from .pairs import pair_units, register_section

OVERVIEWS, PAIRS = "overviews", "pairs"
"""Names of the steps; other steps find their receipts by these names."""


def section_steps() -> tuple[Step, ...]:
    """The first steps of the stage `convert`, for every run on sections."""
    return (
        Step(
            OVERVIEWS,
            "look at sections",
            write_section_overview,
            overview_units,
            settings=("resolution", "codec"),
            outputs=(Output("overviews/{image}", rf"{ID_PATTERN}\.ome\.zarr/({IMAGE_KEYS})"),),
            reads="source",
        ),
        Step(
            PAIRS,
            "register pairs",
            register_section,
            pair_units,
            settings=("nonrigid", "seed"),
            columns=lambda settings: (REGISTERED,),
            outputs=(
                Output("transforms/{image}", rf"{ID_PATTERN}\.zarr/({IMAGE_KEYS})"),
                Output("pairs/{image}", rf"{ID_PATTERN}\.json"),
            ),
        ),
    )
