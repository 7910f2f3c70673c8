"""harmonize: the run that makes images of some sites look as if they had been taken at another, and judges the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...pipeline.command import Command, Variant
from .settings import HarmonizeSlideSettings, HarmonizeVolumeSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "harmonize",
    summary="Make images of some sites look as if they had been taken at another site.",
    variants=(
        Variant("volumes", "volumes", HarmonizeVolumeSettings),
        Variant("slides", "slides", HarmonizeSlideSettings),
    ),
    about="The list names the site of every image in a column `site`. The harmonized version of an image is a layer beside it, "
    "on its grid and in its units. The report compares it with simpler methods.",
    example="tile-engine run harmonize --volumes volumes.csv --from A --to B",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from ...pipeline.outputs import GROUPS, document, model, pictures, report_files
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, per_image
    from ...steps import convert
    from .apply import finish_version, harmonize, harmonize_units, version_units
    from .check import check, check_sampled
    from .estimate import forecast
    from .judge import judge_versions
    from .measure import MEASURES, measure_image
    from .pace import seconds_of_harmonizing
    from .page import write_page
    from .seams import measure_seams
    from .train import train_generator, training_units
    from .version import VERSIONS

    sites = ("from_", "to")
    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast,
        seconds=seconds_of_harmonizing,
        check=check,
        check_sampled=check_sampled,
        stages={
            "convert": convert.steps(modality),
            "sample": (Step("measure", "measure images", measure_image, per_image, outputs=(MEASURES,)),),
            "train": (
                Step(
                    "generator",
                    "train generator",
                    train_generator,
                    training_units,
                    settings=(
                        *sites,
                        *("generator", "width", "piece", "cycle", "identity", "holdout", "seed", "effort", "threads"),
                        *(("device",) if modality.planar else ("slices", "device")),
                    ),
                    columns=_columns,
                    outputs=(model(r"generator|light-\d+(-shift|-sharpen)?"),),
                    cohort=True,
                    progress=True,
                ),
            ),
            "apply": (
                Step(
                    "harmonize",
                    "harmonize",
                    harmonize,
                    harmonize_units,
                    settings=("halo", "tile", "dtype"),
                    outputs=(VERSIONS,),
                ),
                Step("versions", "write layers", finish_version, version_units, outputs=(VERSIONS, GROUPS)),
                Step("seams", "measure seams", measure_seams, version_units),
            ),
            "map": (
                Step(
                    "judge",
                    "judge",
                    judge_versions,
                    settings=("baselines",),
                    columns=_columns if modality.planar else lambda settings: (*_columns(settings), "mask"),
                    outputs=(document("models/judgement"),),
                    cohort=True,
                ),
                Step(
                    "report",
                    "report",
                    write_page,
                    columns=all_columns,
                    outputs=(*report_files(modality.name), *pictures("versions", "training")),
                ),
            ),
        },
    )


def _columns(settings: Any) -> tuple[str, ...]:
    return ("subject", "site", "split", "age", "sex")
