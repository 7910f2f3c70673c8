"""embed: the run that computes one embedding per volume, or per tile of slides or volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...pipeline.command import Command, Variant
from .settings import EmbedSettings
from .tile_settings import SlideTileSettings, VolumeTileSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

_TILE = "One embedding a tile rather than a volume."

COMMAND = Command(
    "embed",
    summary="One embedding a volume, or a tile, for similar cases, maps of a cohort, and models of your own.",
    variants=(
        Variant("volumes", "volumes", EmbedSettings),
        Variant("volume-tiles", "volumes", VolumeTileSettings, given="patch", option="--tile", about=_TILE),
        Variant("slide-tiles", "slides", SlideTileSettings),
    ),
    about="Where the list of volumes names classes, embeddings learn to tell them apart. With --tile, or of slides, there "
    "is one embedding a tile: a layer of each image, and a table of all.",
    example="tile-engine run embed --volumes volumes.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    return _volumes(variant, modality) if variant.name == "volumes" else _tiles(variant, modality)


def _tiles(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.spec import Pipeline
    from ...steps import convert, sample
    from ...steps.apply import layers_step, tiles_step
    from ...steps.autoencoder import autoencoder_step
    from ...steps.estimate import estimate
    from ...steps.frozen_encoder import check_encoder
    from ...steps.pace import seconds_of_steps
    from ...steps.table import table_step
    from ...steps.tile_report import report_step

    return Pipeline(
        COMMAND,
        variant,
        modality,
        network="autoencoder",
        estimate=estimate,
        seconds=seconds_of_steps,
        check=check_encoder,
        caution=modality.caution,
        stages={
            "convert": convert.steps(modality),
            "sample": sample.steps(),
            "train": (autoencoder_step(),),
            "apply": (tiles_step("embedding"), layers_step("embedding")),
            "map": (
                table_step("embedding"),
                report_step(
                    "Each is a vector now: tables/tiles.zarr, and layers/embedding of each image. Whether alike tiles lie "
                    "together is not judged here: look at the plane, or `tile-engine search` for the nearest of one.",
                    modality.name,
                ),
            ),
        },
    )


def _volumes(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import INDEX, document, model, pictures, report_files, samples, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, gang, once
    from ...steps import convert
    from ...steps.volumes.encode import encode_volumes
    from ...steps.volumes.estimate import forecast
    from ...steps.volumes.prepare import check_one_channel
    from ...steps.volumes.sample import sample_steps
    from .encode_new import encode
    from .evaluate import evaluate_embeddings
    from .folds import check_what_is_known
    from .networks import train_network, training_units
    from .pace import seconds_of_embedding
    from .page import write_page
    from .table import write_volume_table

    networks = r"(onga|arai|yamaguchi-\dx\d+)-(all|split|fold-\d+)"
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast,
        seconds=seconds_of_embedding,
        check=check_what_is_known,
        check_sampled=check_one_channel,
        encode=encode,
        stages={
            "convert": convert.steps(modality),
            "sample": sample_steps("network", "shape", "voxel", "harmonized"),
            "train": (
                Step(
                    "networks",
                    "train networks",
                    train_network,
                    training_units,
                    settings=(
                        *(
                            "embedding_size",
                            "label",
                            "objective",
                            "alpha",
                            "temperature",
                            "distance",
                            "prototypes",
                            "entropy",
                        ),
                        *("adversary", "class_features", "cv", "seed", "effort", "threads", "gang", "device", "dtype"),
                    ),
                    columns=_columns_of_training,
                    outputs=(model(networks),),
                    cohort=True,
                    progress=True,
                    ranks=gang,
                ),
            ),
            "apply": (
                Step(
                    "encode",
                    "encode volumes",
                    encode_volumes,
                    training_units,
                    outputs=(samples(rf"(codes|errors)/{networks}"),),
                ),
                Step(
                    "evaluate",
                    "evaluate embeddings",
                    evaluate_embeddings,
                    once,
                    columns=all_columns,
                    outputs=(document("models/evaluation"),),
                ),
            ),
            "map": (
                Step(
                    "table",
                    "table and projections",
                    write_volume_table,
                    once,
                    settings=("umap",),
                    outputs=(table("volumes"), INDEX),
                ),
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    outputs=(
                        *report_files(modality.name),
                        *pictures("umap", "tsne", "pca", "reconstructions", "training"),
                    ),
                ),
            ),
        },
    )


def _columns_of_training(settings: Any) -> tuple[str, ...]:
    return ("subject", "site", settings.label, "split")
