"""anomaly: the run that scores images by how unlike normal ones they are, without labels of what is abnormal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...pipeline.command import Command, Variant
from .settings import AnomalySettings, SlideAnomalySettings, VolumeAnomalySettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "anomaly",
    summary="Score films, tiles of slides or volumes by how unlike normal ones they are, and map where.",
    variants=(
        Variant("films", "films", AnomalySettings),
        Variant("slides", "slides", SlideAnomalySettings),
        Variant("volumes", "volumes", VolumeAnomalySettings),
    ),
    about="Networks learn images that the list calls normal; every other image is scored. Of slides without labels all tissue "
    "is learned, and what is rare in it stands out. Beside each score stands what grey values alone would find.",
    example="tile-engine run anomaly --films films.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    if variant.images == "films":
        return _films(variant, modality)
    return _slides(variant, modality) if variant.images == "slides" else _volumes(variant, modality)


def _films(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, once, per_image
    from ...steps.films.convert import film_steps
    from ...steps.films.estimate import forecast_films
    from ...steps.films.index import index_step
    from .films import FILMS
    from .pace import seconds_of_scores
    from .score import plan_outputs, plan_scores, score_batch, score_outputs
    from .shared_steps import map_steps, split_step, training_steps
    from .split import check_films

    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast_films,
        seconds=partial(seconds_of_scores, image=lambda job: (1, job.settings.side)),
        check=partial(check_films, medium=FILMS),
        stages={
            "convert": film_steps(modality),
            "sample": (index_step(), split_step(FILMS, folder="films.zarr")),
            "train": training_steps(FILMS, "network"),
            "apply": (
                Step("plan", "plan scores", plan_scores, once, settings=("score_names",), outputs=plan_outputs()),
                Step("scores", "score films", score_batch, per_image, settings=("draws",), outputs=score_outputs()),
            ),
            "map": map_steps(FILMS, "worst", "best"),
        },
    )


def _slides(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import file, layer, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps import convert, sample
    from ...steps.apply import tiles_step
    from ...steps.estimate import estimate
    from .pace import seconds_of_scores
    from .shared_steps import map_steps, split_step, training_steps
    from .slides import SLIDES
    from .split import check_images
    from .tiles import LAYER, TONE, draw_map, finish_layers, scorer_of, write_tile_scores

    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=estimate,
        seconds=partial(seconds_of_scores, image=_of_tiles),
        check=partial(check_images, medium=SLIDES),
        caution=modality.caution,
        model=scorer_of,
        stages={
            "convert": convert.steps(modality),
            "sample": (*sample.steps(), split_step(SLIDES)),
            "train": training_steps(SLIDES),
            "apply": (
                tiles_step(LAYER, TONE, settings=("draws",)),
                Step("layers", "write layers", finish_layers, per_image, outputs=(layer(LAYER), layer(TONE))),
            ),
            "map": (
                Step("maps", "draw maps", draw_map, per_image, outputs=(file("maps/{image}.png"),)),
                Step(
                    "tile-table",
                    "table of tiles",
                    write_tile_scores,
                    once,
                    columns=all_columns,
                    outputs=(table("tiles"),),
                ),
                *map_steps(SLIDES, "worst", "best"),
            ),
        },
    )


def _volumes(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import layer
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, per_image
    from ...steps import convert
    from ...steps.volumes.dataset import grid_of
    from ...steps.volumes.estimate import forecast
    from ...steps.volumes.prepare import check_one_channel
    from ...steps.volumes.sample import sample_steps
    from .pace import seconds_of_scores
    from .shared_steps import map_steps, split_step, training_steps
    from .slices import LAYER, SCORES, score_volume
    from .split import check_images
    from .volumes import VOLUMES

    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast,
        seconds=partial(seconds_of_scores, image=lambda job: (1, grid_of(job).shape[-1])),
        check=partial(check_images, medium=VOLUMES),
        check_sampled=check_one_channel,
        stages={
            "convert": convert.steps(modality),
            "sample": (*sample_steps("shape", "voxel"), split_step(VOLUMES)),
            "train": training_steps(VOLUMES),
            "apply": (
                Step(SCORES, "score slices", score_volume, per_image, settings=("draws",), outputs=(layer(LAYER),)),
            ),
            "map": map_steps(VOLUMES, "worst", "best", "planes"),
        },
    )


def _of_tiles(job: Any) -> tuple[int, int]:
    """Channels and side of the tiles of slides."""
    return max(record.channels for record in job.slides.values()), job.settings.side
