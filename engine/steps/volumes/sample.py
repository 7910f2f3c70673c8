"""sample: the steps of the stage `sample` of every run on whole volumes: a row for each volume, and the prepared volumes."""

from __future__ import annotations

from ...pipeline.outputs import samples, samples_metadata
from ...pipeline.step import Step, once, per_image
from .prepare import assign_rows, prepare_volume


def sample_steps(*grid: str) -> tuple[Step, ...]:
    """Steps that fill the array `patches` of samples.zarr; `grid` are the settings that decide on which grid, from what."""
    return (
        Step(
            "rows",
            "assign rows",
            assign_rows,
            once,
            settings=grid,
            outputs=(samples_metadata("patches"),),
            cohort=True,
        ),
        Step(
            "prepare",
            "prepare volumes",
            prepare_volume,
            per_image,
            settings=("mask", "align", "template"),
            columns=lambda settings: ("mask",) if settings.mask == "given" else (),
            files=("mask", "template"),
            outputs=(samples("patches"),),
        ),
    )
