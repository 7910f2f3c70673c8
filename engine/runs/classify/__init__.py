"""classify: the run that trains classifiers of films, judges them on subjects that they did not see, and applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...pipeline.command import Command, Variant
from .settings import ClassifySettings, TrainedFilmSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step

_TRAINED = "By the final network of a finished run rather than new ones."

COMMAND = Command(
    "classify",
    summary="Train classifiers of films, judge them on subjects that they did not see, and map what they look at.",
    variants=(
        Variant("films", "films", ClassifySettings),
        Variant("films-trained", "films", TrainedFilmSettings, given="trained", option="--trained", about=_TRAINED),
    ),
    about="The list of films names each one's label and subject. With few films, networks start from a related task "
    "(--pretrain) or from published weights (--weights), and are unfrozen stage by stage.",
    example="tile-engine run classify --films films.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import Output, document, pictures, report_files, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps.films.convert import film_steps
    from ...steps.films.estimate import forecast_films
    from ...steps.films.index import index_step
    from ...steps.usual_pace import counted
    from .card import CARD, write_card
    from .evaluate import write_evaluation
    from .pace import seconds_of_classifiers
    from .page import write_page
    from .probabilities import (
        batch_outputs,
        explain_batch,
        gradcam_outputs,
        gradcam_units,
        judge_batch,
        plan_outputs,
        plan_probabilities,
    )
    from .starts import check_start
    from .table import write_film_table
    from .trained import check_trained

    model_card = () if variant.given else (Step("card", "write model card", write_card, once, outputs=(Output(CARD),)),)
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast_films,
        seconds=counted("probabilities", "gradcam", "evaluate") if variant.given else seconds_of_classifiers,
        check=check_trained if variant.given else check_start,
        stages={
            "convert": film_steps(modality),
            **_training(variant, index_step()),
            "apply": (
                Step(
                    "plan",
                    "plan probabilities",
                    plan_probabilities,
                    once,
                    settings=("gradcam",),
                    outputs=plan_outputs(),
                ),
                Step("probabilities", "judge films", judge_batch, per_image, outputs=batch_outputs()),
                Step("gradcam", "map the evidence", explain_batch, gradcam_units, outputs=gradcam_outputs()),
            ),
            "map": (
                Step("evaluate", "evaluate", write_evaluation, once, outputs=(document("models/evaluation"),)),
                Step("table", "table", write_film_table, once, columns=all_columns, outputs=(table("films"),)),
                *model_card,
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    outputs=(*report_files(modality.name), *pictures("training", "curves", "lowest", "highest")),
                ),
            ),
        },
    )


def _training(variant: Variant, index: Step) -> dict[str, tuple[Step, ...]]:
    """The stages that leave the networks: training, or taking over the final network of another run."""
    from ...pipeline.outputs import Output, document, model, samples
    from ...pipeline.step import Step, once
    from .folds import NETWORKS, network_units, write_folds
    from .networks import STAGES, train_network
    from .new_films import write_new_folds
    from .starts import PRETRAINED, start_units, train_start
    from .trained import FINAL, take_network

    parts = (Output("films.zarr/part", r"zarr\.json|c/0/0"), document("models/folds"))
    if variant.given:
        return {
            "sample": (index,),
            "train": (
                Step(
                    "take",
                    "take network",
                    take_network,
                    once,
                    settings=("trained", "seed", "threads", "device"),
                    files=("trained",),
                    beside=("folds.json",),
                    outputs=(model(FINAL), document("models/origin")),
                ),
                Step("folds", "find new films", write_new_folds, once, settings=("normal",), outputs=parts),
            ),
        }
    return {
        "sample": (
            index,
            Step(
                "folds",
                "divide films",
                write_folds,
                once,
                settings=("normal", "division", "site_matrix", "seed"),
                outputs=parts,
            ),
        ),
        "train": (
            Step(
                PRETRAINED,
                "train on the other task",
                train_start,
                start_units,
                settings=("weights", "pretrain", "network", "effort", "validation", "threads", "device"),
                files=("weights",),
                outputs=(model(PRETRAINED),),
                progress=True,
            ),
            Step(
                "networks",
                "train networks",
                train_network,
                network_units,
                settings=("stages",),
                outputs=(model(rf"({NETWORKS})(-stages)?"), samples(rf"{STAGES}/({NETWORKS})")),
                progress=True,
            ),
        ),
    }
