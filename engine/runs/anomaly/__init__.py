"""anomaly: the run that scores images by how unlike normal ones they are, without labels of what is abnormal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...pipeline.command import Command, Variant
from .settings import AnomalySettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "anomaly",
    summary="Score films by how unlike normal ones they are, and map where.",
    variants=(Variant("films", "films", AnomalySettings),),
    about="A network learns films that the list calls normal; every other film is scored. Beside each score stands what grey "
    "values alone would find.",
    example="tile-engine run anomaly --films films.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import REPORT, Output, document, model, pictures, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, gang, once, per_image
    from ...steps.films.convert import film_steps
    from ...steps.films.estimate import forecast_films
    from ...steps.films.index import index_step
    from .evaluate import write_evaluation
    from .page import write_page
    from .score import plan_outputs, plan_scores, score_batch, score_outputs
    from .split import PART, SPLIT, write_split
    from .spotters import spotter_outputs, spotter_units, train_spotter
    from .table import write_film_table
    from .train import VAE, train_vae

    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast_films,
        stages={
            "convert": film_steps(modality),
            "sample": (
                index_step(),
                Step(
                    SPLIT,
                    "divide films",
                    write_split,
                    once,
                    settings=("normal", "holdout", "seed"),
                    outputs=(Output(f"films.zarr/{PART}", r"zarr\.json|c/0"),),
                ),
            ),
            "train": (
                Step(
                    VAE,
                    "train autoencoder",
                    train_vae,
                    once,
                    settings=("network", "vae", "effort", "threads", "gang", "device"),
                    outputs=(model(VAE),),
                    progress=True,
                    ranks=gang,
                ),
                Step(
                    "spotters",
                    "train on pasted anomalies",
                    train_spotter,
                    spotter_units,
                    settings=("spotters",),
                    outputs=spotter_outputs(),
                    progress=True,
                ),
            ),
            "apply": (
                Step("plan", "plan scores", plan_scores, once, outputs=plan_outputs()),
                Step("scores", "score films", score_batch, per_image, settings=("draws",), outputs=score_outputs()),
            ),
            "map": (
                Step("evaluate", "evaluate", write_evaluation, once, outputs=(document("models/evaluation"),)),
                Step("table", "table", write_film_table, once, columns=all_columns, outputs=(table("films"),)),
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    outputs=(REPORT, *pictures("training", "scores", "worst", "best")),
                ),
            ),
        },
    )
