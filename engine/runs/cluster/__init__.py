"""cluster: the run that clusters the tissue on slides or in volumes, and maps the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...pipeline.command import Command, Variant
from .settings import (
    ClusterSettings,
    SectionClusterSettings,
    TrainedClusterSettings,
    TrainedSectionSettings,
    TrainedVolumeSettings,
    VolumeClusterSettings,
)
from .subjects.settings import SubjectSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step

_SUBJECTS = "Groups of subjects by their whole volumes, rather than kinds of tissue inside them."
_TRAINED = "By the networks of a finished run rather than new ones."

COMMAND = Command(
    "cluster",
    summary="Find the kinds of tissue on slides, or in volumes, and where they are: images to maps, in one command.",
    variants=(
        Variant("slides", "slides", ClusterSettings),
        Variant("volumes", "volumes", VolumeClusterSettings),
        Variant("sections", "sections", SectionClusterSettings),
        Variant("subjects", "volumes", SubjectSettings, given="subjects", option="--subjects", about=_SUBJECTS),
        Variant(
            "slides-trained", "slides", TrainedClusterSettings, given="trained", option="--trained", about=_TRAINED
        ),
        Variant(
            "volumes-trained", "volumes", TrainedVolumeSettings, given="trained", option="--trained", about=_TRAINED
        ),
        Variant(
            "sections-trained", "sections", TrainedSectionSettings, given="trained", option="--trained", about=_TRAINED
        ),
    ),
    example="tile-engine run cluster --slides slides/",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from .subjects import subject_pipeline

    return subject_pipeline(COMMAND, variant, modality) if variant.name == "subjects" else _tissue(variant, modality)


def _tissue(variant: Variant, modality: Modality) -> Pipeline:
    from functools import partial

    from ...pipeline.outputs import GROUPS, INDEX, document, file, label, pictures, report_files, samples, table
    from ...pipeline.spec import Apart, Pipeline
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps import convert
    from ...steps.apply import layers_step, tiles_step
    from ...steps.estimate import estimate
    from ...steps.pace import seconds_of_steps
    from ...steps.sections.steps import section_steps
    from .apart import COLUMN, blocks_of_stain, decide_stains, decide_stains_of_blocks, slides_of_stain
    from .checks import check_settings, check_shown
    from .curves import draw_curves
    from .follow import follow
    from .joined_page import write_joined_page
    from .labels import write_cluster_labels
    from .layout import lay_out
    from .maps import draw_maps
    from .match import match_clusters
    from .page import write_page
    from .stain_effects import measure_stain_effects
    from .stains import find_stains
    from .table import write_cluster_table
    from .tree import order_clusters

    stacked = variant.images == "sections"
    decide, part = (decide_stains_of_blocks, blocks_of_stain) if stacked else (decide_stains, slides_of_stain)
    apart = Apart(
        COLUMN,
        lambda settings: settings.stains == "apart",
        decide,
        part,
        partial(write_joined_page, images=modality.name),
    )
    polygons = (file("maps/{image}.geojson"),) if modality.planar else ()
    panels = (file("maps/stains/{image}.png"),) if stacked else ()
    maps = (file("maps/{image}.png"), file("maps/density/{image}.png"), *polygons, *panels)
    colours = Step(
        "stain_effects",
        "tell stains apart",
        measure_stain_effects,
        once,
        outputs=(document("models/stain_effects"),),
        cohort=True,
    )
    return Pipeline(
        COMMAND,
        variant,
        modality,
        network="clusterer",
        estimate=estimate,
        seconds=seconds_of_steps,
        check=check_settings,
        caution=modality.caution,
        check_stored=check_shown,
        follow=follow,
        apart=apart if "stains" in variant.settings.model_fields else None,
        stages={
            "convert": (*(section_steps() if stacked else ()), *convert.steps(modality)),
            **_training(variant),
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
                layers_step("assignment", "confidence", "embedding"),
                Step("stains", "compare stains", find_stains, once, outputs=(document("models/stains"),), cohort=True),
            ),
            "map": (
                Step(
                    "layout",
                    "UMAP",
                    lay_out,
                    once,
                    settings=("umap",),
                    outputs=(samples("umap"), document("models/layout")),
                    progress=True,
                    meanwhile=("match", "labels", "pictures"),
                ),
                Step("curves", "draw curves", draw_curves, once, outputs=pictures("k", "training")),
                Step(
                    "match",
                    "match clusters",
                    match_clusters,
                    once,
                    settings=("match",),
                    files=("trained",) if variant.given else (),
                    beside=("numbering.json",),
                    outputs=(document("models/numbering"),),
                ),
                Step(
                    "labels",
                    "write labels",
                    write_cluster_labels,
                    per_image,
                    settings=("level", "classes", "label_grid"),
                    outputs=(label("clusters"), GROUPS),
                ),
                Step(
                    "table",
                    "table",
                    write_cluster_table,
                    once,
                    columns=all_columns,
                    outputs=(
                        table("tiles"),
                        INDEX,
                        file("shares.csv"),
                        file("clusters.csv"),
                        document("models/comparison"),
                    ),
                ),
                Step("pictures", "draw maps", draw_maps, per_image, outputs=maps),
                *((colours,) if stacked else ()),
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    columns=all_columns,
                    outputs=(*report_files(modality.name), *pictures("gallery", "umap", "slides")),
                ),
            ),
        },
    )


def _training(variant: Variant) -> dict[str, tuple[Step, ...]]:
    """The stages that leave the networks: sampling and training, or taking over those of another run."""
    from ...pipeline.outputs import document, model, samples
    from ...pipeline.step import Step, gang, once
    from ...steps import sample
    from ...steps.autoencoder import autoencoder_step
    from .division import divide_clusters
    from .finetune import fine_tune
    from .heads import embed_views, train_head
    from .normalize import choose_target, target_units
    from .number import choose_number
    from .trained import TAKEN_MODELS, take_networks

    if variant.given:
        names = ("validity", "origin", "normalization")
        documents = tuple(document(f"models/{name}") for name in names)
        outputs = (model("|".join(TAKEN_MODELS)), *documents)
        take = Step(
            "take",
            "take networks",
            take_networks,
            once,
            settings=("trained", "seed"),
            files=("trained",),
            beside=("clusters.json", "validity.json", "normalization.json"),
            outputs=outputs,
        )
        return {"train": (take,)}
    target = Step(
        "normalize",
        "choose stain target",
        choose_target,
        target_units,
        settings=("normalize",),
        outputs=(document("models/normalization"),),
        cohort=True,
    )
    return {
        "sample": (target, *sample.steps()) if variant.images == "slides" else sample.steps(),
        "train": (
            autoencoder_step(),
            Step(
                "view_embeddings",
                "embed views",
                embed_views,
                once,
                settings=("several_views",),
                outputs=(samples("codes"),),
            ),
            Step("number", "choose K", choose_number, once, settings=("k",), outputs=(document("models/validity"),)),
            Step(
                "heads",
                "train heads",
                train_head,
                once,
                settings=("objective", "seeds"),
                outputs=(model("head|heads"),),
                progress=True,
            ),
            Step(
                "fine_tune",
                "fine-tune",
                fine_tune,
                once,
                settings=("gang",),
                outputs=(model("fine_tuned|fine_tune"),),
                progress=True,
                ranks=gang,
            ),
            Step("divide", "divide clusters", divide_clusters, once, outputs=(model("clusterer"),)),
        ),
    }
