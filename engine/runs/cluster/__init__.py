"""cluster: the run that clusters the tissue on slides or in volumes, and maps the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...pipeline.command import Command, Variant
from .settings import ClusterSettings, VolumeClusterSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "cluster",
    summary="Find the kinds of tissue on slides, or in volumes, and where they are: images to maps, in one command.",
    variants=(Variant("slides", "slides", ClusterSettings), Variant("volumes", "volumes", VolumeClusterSettings)),
    example="tile-engine run cluster --slides slides/",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import GROUPS, INDEX, REPORT, document, file, label, model, pictures, samples, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, gang, once, per_image
    from ...steps import convert, sample
    from ...steps.apply import tiles_step
    from ...steps.autoencoder import autoencoder_step
    from ...steps.estimate import estimate
    from ...steps.table import COLUMNS
    from .finetune import fine_tune
    from .heads import embed_views, train_heads
    from .maps import draw_maps
    from .number import order_clusters, write_clusters
    from .page import write_page
    from .table import write_table

    polygons = (file("maps/{image}.geojson"),) if modality.planar else ()
    maps = (file("maps/{image}.png"), file("maps/density/{image}.png"), *polygons)
    return Pipeline(
        COMMAND,
        variant,
        modality,
        network="clusterer",
        estimate=estimate,
        caution=modality.caution,
        stages={
            "convert": convert.steps(modality),
            "sample": sample.steps(),
            "train": (
                autoencoder_step(),
                Step("view_embeddings", "embed views", embed_views, once, outputs=(samples("codes"),)),
                Step(
                    "heads",
                    "train heads",
                    train_heads,
                    once,
                    settings=("k", "objective", "seeds"),
                    outputs=(model("head|heads"), document("models/validity")),
                    progress=True,
                ),
                Step(
                    "fine_tune",
                    "fine-tune",
                    fine_tune,
                    once,
                    settings=("gang",),
                    outputs=(model("clusterer|fine_tune"),),
                    progress=True,
                    ranks=gang,
                ),
            ),
            "apply": (
                tiles_step("assignment", "confidence", "embedding"),
                Step(
                    "order_clusters",
                    "order clusters",
                    order_clusters,
                    once,
                    outputs=(document("models/clusters"),),
                    cohort=True,
                ),
                Step("labels", "write labels", write_clusters, per_image, outputs=(label("clusters"), GROUPS)),
            ),
            "map": (
                Step(
                    "table",
                    "table and UMAP",
                    write_table,
                    once,
                    settings=("umap",),
                    columns=all_columns,
                    outputs=(table("tiles", f"{COLUMNS}|cluster|confidence"), INDEX, file("shares.csv")),
                ),
                Step("pictures", "draw maps", draw_maps, per_image, outputs=maps),
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    outputs=(REPORT, *pictures("gallery", "umap", "k", "slides", "training")),
                ),
            ),
        },
    )
