"""sample: draws random patches inside tissue, balanced over images and subjects."""

from __future__ import annotations

from ...pipeline.outputs import samples, samples_metadata
from ...pipeline.step import Step, once


def steps() -> tuple[Step, ...]:
    """The steps of the stage `sample`, for every run that trains on tiles."""
    from .draw import draw_patches
    from .patches import patch_units, write_patches

    return (
        Step(
            "draw",
            "draw patches",
            draw_patches,
            once,
            settings=("patch", "samples", "seed"),
            outputs=(samples_metadata("patches"), samples("slide|place")),
            cohort=True,
        ),
        Step("patches", "read patches", write_patches, patch_units, outputs=(samples("patches"),)),
    )
