"""sites: the run that names the site that volumes or slides come from, says how well, and maps where it finds out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...pipeline.command import Command, Variant
from .settings import SitesSettings, SlideSitesSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "sites",
    summary="Tell which site or scanner images come from, how surely, and where in the image it shows.",
    variants=(Variant("volumes", "volumes", SitesSettings), Variant("slides", "slides", SlideSitesSettings)),
    about="The list of images names each one's site and subject (columns `site` and `subject`). Every image is judged by a "
    "network that did not see its subject, beside simpler methods and shuffled sites.",
    example="tile-engine run sites --volumes volumes.csv",
)
NETWORKS = r"fold-\d+|split|shuffled-\d+"
"""Pattern of the networks' names."""
TRAINING = ("cv", "seed", "effort", "threads", "gang", "device")


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    return _volumes(variant, modality) if variant.images == "volumes" else _slides(variant, modality)


def _volumes(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import document, layer, model, pictures, report_files, samples, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps import convert
    from ...steps.volumes.estimate import forecast
    from ...steps.volumes.prepare import check_one_channel
    from ...steps.volumes.sample import sample_steps
    from .check_maps import check_maps
    from .evaluate import evaluate_sites, probabilities_of_volumes
    from .explain import GRADCAM, explain_volume, explained_units
    from .folds import check_sites
    from .networks import train_network, training_units
    from .pace import seconds_of_sites
    from .page import write_page
    from .table import write_site_table
    from .textures import TEXTURE, measure_texture
    from .volume_panels import volume_panels
    from .volumes import volumes_to_learn

    named: dict[str, Any] = {"probabilities": probabilities_of_volumes}
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast,
        seconds=seconds_of_sites,
        check=check_sites,
        check_sampled=check_one_channel,
        stages={
            "convert": convert.steps(modality),
            "sample": (
                *sample_steps("shape", "voxel"),
                Step(TEXTURE, "measure texture", measure_texture, per_image),
            ),
            "train": (
                Step(
                    "networks",
                    "train networks",
                    partial(train_network, training_set=volumes_to_learn),
                    training_units,
                    settings=(*TRAINING, "shuffled_networks"),
                    columns=_columns,
                    outputs=(model(NETWORKS), samples(rf"features/({NETWORKS})")),
                    cohort=True,
                    progress=True,
                ),
            ),
            "apply": (
                Step(
                    "evaluate",
                    "evaluate",
                    partial(evaluate_sites, **named),
                    once,
                    outputs=(document("models/evaluation"),),
                ),
                Step(
                    GRADCAM,
                    "map the evidence",
                    explain_volume,
                    explained_units,
                    settings=("gradcam",),
                    columns=lambda settings: ("mask",),
                    outputs=(layer(GRADCAM),),
                ),
                Step(
                    "check",
                    "check the maps",
                    check_maps,
                    once,
                    outputs=(document("models/explanations"),),
                    progress=True,
                ),
            ),
            "map": (
                Step(
                    "table",
                    "table",
                    partial(write_site_table, **named),
                    once,
                    columns=all_columns,
                    outputs=(table("volumes"),),
                ),
                Step(
                    "report",
                    "report",
                    partial(write_page, panels=volume_panels, **named),
                    once,
                    outputs=(*report_files(modality.name), *pictures("training", "evidence", "deletion")),
                ),
            ),
        },
    )


def _slides(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import document, layer, model, pictures, report_files, samples, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, once, per_image
    from ...steps import convert, sample
    from ...steps.apply import TILES
    from ...steps.estimate import estimate
    from ...steps.usual_pace import counted
    from .evaluate import evaluate_sites
    from .explain import GRADCAM
    from .folds import check_sites
    from .networks import train_network, training_units
    from .page import write_page
    from .slide_maps import check_slide_maps, slide_panels
    from .slides import measure_patches, patches_to_learn
    from .table import write_site_table
    from .textures import TEXTURE
    from .tiles import PROBABILITY, finish_layers, judged_slides, judged_units, name_tiles, probabilities_of_slides

    named: dict[str, Any] = {"probabilities": probabilities_of_slides}
    layers = (layer(PROBABILITY), layer(GRADCAM))
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=estimate,
        seconds=counted("texture", "networks", "tiles", "check"),
        check=check_sites,
        caution=modality.caution,
        stages={
            "convert": convert.steps(modality),
            "sample": (*sample.steps(), Step(TEXTURE, "measure texture", measure_patches, per_image)),
            "train": (
                Step(
                    "networks",
                    "train networks",
                    partial(train_network, training_set=patches_to_learn),
                    training_units,
                    settings=(*TRAINING, "shuffled_networks"),
                    columns=_columns,
                    outputs=(model(NETWORKS), samples(rf"features/({NETWORKS})")),
                    cohort=True,
                    progress=True,
                ),
            ),
            "apply": (
                Step(
                    TILES,
                    "name tiles",
                    name_tiles,
                    judged_units,
                    settings=("step", "tissue_share", "gradcam"),
                    outputs=layers,
                    reads="image",
                ),
                Step("layers", "write layers", finish_layers, judged_slides, outputs=layers),
                Step(
                    "evaluate",
                    "evaluate",
                    partial(evaluate_sites, **named),
                    once,
                    outputs=(document("models/evaluation"),),
                ),
                Step(
                    "check",
                    "check the maps",
                    check_slide_maps,
                    once,
                    outputs=(document("models/explanations"),),
                    progress=True,
                ),
            ),
            "map": (
                Step(
                    "table",
                    "table",
                    partial(write_site_table, **named),
                    once,
                    columns=all_columns,
                    outputs=(table("slides"),),
                ),
                Step(
                    "report",
                    "report",
                    partial(write_page, panels=slide_panels, **named),
                    once,
                    outputs=(*report_files(modality.name), *pictures("training", "evidence", "deletion")),
                ),
            ),
        },
    )


def _columns(settings: Any) -> tuple[str, ...]:
    return ("subject", "site", "split")
