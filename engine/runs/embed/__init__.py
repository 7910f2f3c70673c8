"""embed: one embedding a volume, or a tile of slides and volumes."""

from __future__ import annotations

from typing import Any

from ...pipeline.command import Command, Variant
from ...pipeline.modality import Modality
from ...pipeline.spec import Pipeline
from .settings import EmbedSettings
from .tile_settings import SlideTileSettings, VolumeTileSettings

COMMAND = Command(
    "embed",
    summary="One embedding a volume, or a tile, for similar cases, maps of a cohort, and models of your own.",
    variants=(
        Variant("volumes", "volumes", EmbedSettings),
        Variant("volume-tiles", "volumes", VolumeTileSettings, given="patch", option="--tile"),
        Variant("slide-tiles", "slides", SlideTileSettings),
    ),
    example="tile-engine run embed --volumes volumes.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    return _volumes(variant, modality) if variant.name == "volumes" else _tiles(variant, modality)


def _tiles(variant: Variant, modality: Modality) -> Pipeline:
    from ...images.opening import uneven
    from ...pipeline.outputs import INDEX, REPORT, layer, pictures, table
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps import convert, sample
    from ...steps.apply import apply_network, tile_units, write_layers
    from ...steps.autoencoder import autoencoder_step
    from ...steps.estimate import estimate
    from ...steps.table import COLUMNS, write_tile_table
    from .tile_page import write_tile_page

    return Pipeline(
        COMMAND,
        variant,
        modality,
        network="autoencoder",
        estimate=estimate,
        caution=lambda cohort: "" if modality.resampled else uneven(cohort),
        stages={
            "convert": convert.steps(modality),
            "sample": sample.steps(),
            "train": (autoencoder_step(),),
            "apply": (
                Step(
                    "tiles",
                    "apply",
                    apply_network,
                    tile_units,
                    settings=("step", "dtype", "device"),
                    outputs=(layer("embedding"),),
                    reads="image",
                ),
                Step("layers", "write layers", write_layers, per_image, outputs=(layer("embedding"),)),
            ),
            "map": (
                Step(
                    "table",
                    "table and UMAP",
                    write_tile_table,
                    once,
                    settings=("umap",),
                    columns=all_columns,
                    outputs=(table("tiles", COLUMNS), INDEX),
                ),
                Step("page", "report", write_tile_page, once, outputs=(REPORT, *pictures("umap", "training"))),
            ),
        },
    )


def _volumes(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import INDEX, REPORT, document, model, pictures, samples, table
    from ...pipeline.step import Step, all_columns, gang, once, per_image
    from ...steps import convert
    from ...steps.volumes.estimate import forecast
    from ...steps.volumes.prepare import assign_rows, prepare_volume
    from .encode import encode_volumes
    from .encode_new import encode
    from .evaluate import evaluate_embeddings
    from .folds import check_what_is_known
    from .networks import train_network, training_units
    from .page import write_page
    from .table import write_volume_table

    networks = r"(onga|arai|yamaguchi-\dx\d+)-(all|split|fold-\d+)"
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast,
        check=check_what_is_known,
        encode=encode,
        stages={
            "convert": convert.steps(modality),
            "sample": (
                Step(
                    "lineup",
                    "line volumes up",
                    assign_rows,
                    once,
                    settings=("network", "shape", "voxel"),
                    outputs=(samples(), samples("patches")),
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
            ),
            "train": (
                Step(
                    "networks",
                    "train networks",
                    train_network,
                    training_units,
                    settings=(
                        *("code", "label", "objective", "alpha", "temperature", "distance", "prototypes", "entropy"),
                        *("adversary", "marks", "cv", "seed", "effort", "threads", "gang", "device", "dtype"),
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
                    "judge",
                    "judge codes",
                    evaluate_embeddings,
                    once,
                    columns=all_columns,
                    outputs=(document("models/evaluation"),),
                ),
            ),
            "map": (
                Step(
                    "cases",
                    "table and plane",
                    write_volume_table,
                    once,
                    settings=("umap",),
                    outputs=(table("volumes"), INDEX),
                ),
                Step(
                    "review",
                    "pictures and report",
                    write_page,
                    once,
                    outputs=(REPORT, *pictures("umap", "tsne", "reconstructions", "training")),
                ),
            ),
        },
    )


def _columns_of_training(settings: Any) -> tuple[str, ...]:
    return ("subject", "site", settings.label, "split")
