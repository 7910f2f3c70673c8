"""register: the run that lays the sections of a block over one of them, and makes one image of them, three channels a stain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...pipeline.command import Command, Variant
from .settings import RegisterSettings

if TYPE_CHECKING:
    from ...pipeline.modality import Modality
    from ...pipeline.spec import Pipeline

COMMAND = Command(
    "register",
    summary="Register the sections of blocks across stains, and stack them as the channels of one image.",
    variants=(Variant("sections", "sections", RegisterSettings),),
    about="Each section is laid over the reference of its block: rotation and affine map, then a displacement field. A stage "
    "stays only where tissue that it did not see says that it is better. Landmarks of the list are never fitted: they judge.",
    example="tile-engine run register --sections sections.csv",
)


def pipeline(variant: Variant, modality: Modality) -> Pipeline:
    from dataclasses import replace

    from ...pipeline.outputs import Output, document, report_files, table
    from ...pipeline.spec import Pipeline
    from ...pipeline.step import Step, all_columns, once
    from ...steps import convert
    from ...steps.sections.estimate import forecast_sections
    from ...steps.sections.steps import section_steps
    from ...steps.usual_pace import counted
    from .evaluate import evaluate_pairs
    from .page import write_page
    from .table import write_pair_table

    return Pipeline(
        COMMAND,
        variant,
        modality,
        estimate=forecast_sections,
        seconds=counted("pairs", "evaluate"),
        stages={
            "convert": (*section_steps(), *convert.steps(modality)),
            "map": (
                Step(
                    "evaluate",
                    "evaluate pairs",
                    evaluate_pairs,
                    once,
                    columns=lambda settings: ("landmarks",),
                    outputs=(document("evaluation"),),
                    cohort=True,
                ),
                Step(
                    "table",
                    "table of pairs",
                    write_pair_table,
                    once,
                    columns=all_columns,
                    outputs=(replace(table("pairs"), timed=True),),
                    cohort=True,
                ),
                Step(
                    "report",
                    "report",
                    write_page,
                    once,
                    columns=all_columns,
                    outputs=(*report_files(modality.name), Output("maps/pairs", r"[^/]+\.png")),
                    cohort=True,
                ),
            ),
        },
    )
