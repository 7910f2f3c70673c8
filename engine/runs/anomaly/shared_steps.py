"""shared_steps: the steps that films, slides and volumes share: parts, training, evaluation, table and report."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...pipeline.outputs import Output, document, model, pictures, report_files, table
from ...pipeline.step import Step, all_columns, gang, once
from .evaluate import write_evaluation
from .medium import PART, Medium
from .page import write_page
from .split import SPLIT, write_split
from .spotters import spotter_outputs, spotter_units, train_spotter
from .table import write_row_table
from .train import VAE, train_vae


def split_step(medium: Medium, *, folder: str = "samples.zarr") -> Step:
    """The step that divides rows into parts, stored in `folder`."""
    return Step(
        SPLIT,
        f"divide {medium.name}",
        partial(write_split, medium=medium),
        once,
        settings=("normal", "holdout", "seed", "label"),
        columns=_columns_of_parts,
        outputs=(Output(f"{folder}/{PART}", r"zarr\.json|c/0"),),
        cohort=True,
    )


def _columns_of_parts(settings: Any) -> tuple[str, ...]:
    return ("subject", "split", settings.class_column)


def training_steps(medium: Medium, *network: str) -> tuple[Step, ...]:
    """The steps that train the autoencoder and the spotters; `network` are settings of the network that few runs have."""
    return (
        Step(
            VAE,
            "train autoencoder",
            partial(train_vae, medium=medium),
            once,
            settings=(*network, "vae", "effort", "threads", "gang", "device"),
            outputs=(model(VAE),),
            progress=True,
            ranks=gang,
        ),
        Step(
            "spotters",
            "train on pasted anomalies",
            partial(train_spotter, medium=medium),
            spotter_units,
            settings=("spotters",),
            outputs=spotter_outputs(),
            progress=True,
        ),
    )


def map_steps(medium: Medium, *galleries: str) -> tuple[Step, ...]:
    """The steps that judge the scores and report them, with the names of the report's galleries."""
    drawn = pictures("training", "scores", *galleries)
    return (
        Step(
            "evaluate",
            "evaluate",
            partial(write_evaluation, medium=medium),
            once,
            outputs=(document("models/evaluation"),),
        ),
        Step(
            "table",
            "table",
            partial(write_row_table, medium=medium),
            once,
            columns=all_columns,
            outputs=(table(medium.name),),
        ),
        Step(
            "report",
            "report",
            partial(write_page, medium=medium),
            once,
            outputs=(*report_files(medium.name), *drawn),
            reads="image",
        ),
    )
