"""Groups of subjects: the variant of `run cluster` whose cases are whole subjects, by the embeddings of their volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....pipeline.command import Command, Variant
    from ....pipeline.modality import Modality
    from ....pipeline.spec import Pipeline
    from ....pipeline.step import Step


def subject_pipeline(command: Command, variant: Variant, modality: Modality) -> Pipeline:
    from ....pipeline.spec import Pipeline
    from ....steps import convert
    from ....steps.volumes.estimate import forecast
    from ....steps.volumes.prepare import check_one_channel
    from ....steps.volumes.sample import sample_steps
    from .pace import seconds_of_groups
    from .tree import check_level, check_subjects

    return Pipeline(
        command,
        variant,
        modality,
        estimate=forecast,
        seconds=seconds_of_groups,
        check=check_subjects,
        check_sampled=check_one_channel,
        check_stored=check_level,
        stages={
            "convert": convert.steps(modality),
            "sample": sample_steps("network", "shape", "voxel", "harmonized"),
            "train": _training(),
            "map": _results(modality.name),
        },
    )


def _training() -> tuple[Step, ...]:
    """The steps that find the groups."""
    from ....pipeline.outputs import document, model, samples
    from ....pipeline.step import Step, gang, once
    from .embed import embed_volumes, embedding_units, train_network, training_units
    from .number import choose_number
    from .tree import find_groups

    networks = r"(onga|arai|yamaguchi-\dx\d+)-all"
    return (
        Step(
            "networks",
            "train network",
            train_network,
            training_units,
            settings=("embedding", "embedding_size", "seed", "effort", "threads", "gang", "device", "dtype"),
            outputs=(model(networks),),
            cohort=True,
            progress=True,
            ranks=gang,
        ),
        Step(
            "encode",
            "embed volumes",
            embed_volumes,
            embedding_units,
            outputs=(samples(rf"(codes|errors)/({networks}|components)"),),
        ),
        Step(
            "number",
            "choose number of groups",
            choose_number,
            once,
            settings=("k", "objective"),
            outputs=(document("models/validity"),),
        ),
        Step("groups", "find groups", find_groups, once, outputs=(document("models/groups"),)),
    )


def _results(images: str) -> tuple[Step, ...]:
    """The steps that say what the groups are; `images` are those of the run."""
    from ....pipeline.outputs import document, file, pictures, report_files, table
    from ....pipeline.step import Step, all_columns, once
    from .compare import compare_groups
    from .page import write_page
    from .table import write_subject_table

    return (
        Step(
            "table",
            "table of subjects",
            write_subject_table,
            once,
            settings=("umap", "level"),
            columns=all_columns,
            outputs=(table("subjects"), file("subjects.csv")),
        ),
        Step("compare", "compare groups", compare_groups, once, outputs=(document("models/associations"),)),
        Step(
            "report",
            "report",
            write_page,
            once,
            outputs=(*report_files(images), *pictures("groups", "plane", "k", "training")),
        ),
    )
