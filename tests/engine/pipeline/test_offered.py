"""Options come from the settings models: each field once, with description, range, default, and what variants differ in."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.engine.images.inputs import INPUTS
from tile_engine.engine.images.modality import MODALITIES
from tile_engine.engine.pipeline.command import Command, Variant
from tile_engine.engine.pipeline.offered import Offered, offered_by, offered_by_stage, offered_of
from tile_engine.engine.pipeline.option import PANELS, WHERE, Option
from tile_engine.engine.pipeline.option_help import default_text
from tile_engine.engine.pipeline.settings import RunSettings, settings_of
from tile_engine.engine.runs import RUNS, command, pipeline, usual
from tile_engine.engine.runtime.options import STAGES, RunOptions
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.errors import SettingsError

COMMANDS = [command(name) for name in RUNS]
VARIANTS = [pytest.param(c, v, id=f"{c.name}-{v.name}") for c in COMMANDS for v in c.variants]
READ_AS = {
    "step": "stride",
    "stored_pixels": "pixels",
    "unreadable_limit": "max_bad_tiles",
    "trains_in": "training_dtype",
}
"""Property that a step reads -> the setting behind it."""
REQUIRED = {"trained": "/run/models/clusterer.json"}
"""Setting without a default, which decides the variant at the beginning of a run -> a value as run.json has it."""


def by_name(offered: tuple[Offered, ...]) -> dict[str, Offered]:
    return {one.name: one for one in offered}


def option_of(field: Any) -> Option:
    return next(value for value in field.metadata if isinstance(value, Option))


@pytest.mark.parametrize(("of", "variant"), VARIANTS)
def test_help_says_the_description_and_the_default_of_every_field_of_every_variant(
    of: Command, variant: Variant
) -> None:
    offered = by_name(offered_by(of))
    for name, field in variant.settings.model_fields.items():
        assert field.description and field.description.endswith(".") and field.description[0].isupper(), name
        assert field.description in offered[name].help
        assert default_text(field, option_of(field)) in offered[name].help


@pytest.mark.parametrize(("of", "variant"), VARIANTS)
def test_a_default_that_help_says_is_the_models_own(of: Command, variant: Variant) -> None:
    """Given as a user would type it, it changes nothing; defaults in words are of what is computed, or parse to the same."""
    required = {name: REQUIRED[name] for name, field in variant.settings.model_fields.items() if field.is_required()}
    for name, field in variant.settings.model_fields.items():
        option = option_of(field)
        typed = default_text(field, option)
        if typed and name not in required and (not option.default or name in ("k", "effort")):
            assert getattr(settings_of({**required, name: typed}, variant.settings), name) == field.default, name


@pytest.mark.parametrize("of", COMMANDS, ids=RUNS)
def test_options_are_the_union_of_the_variants_fields_each_once_and_by_panel(of: Command) -> None:
    offered = offered_by(of)
    names = [one.name for one in offered]
    assert len(names) == len(set(names)) == len({one.option for one in offered})
    assert set(names) == {name for variant in of.variants for name in variant.settings.model_fields}
    assert [one.panel for one in offered] == sorted((one.panel for one in offered), key=PANELS.index)


def test_what_variants_differ_in_is_said_for_both() -> None:
    patch = by_name(offered_by(command("cluster")))["patch"]
    assert (
        "[default: 128; of volumes 16]" in patch.help and "[32 to 1024 in steps of 16; of volumes 16 to" in patch.help
    )
    assert patch.option == "--patch" and patch.default is None
    tile = by_name(offered_by(command("embed")))["patch"]
    assert tile.option == "--tile" and "[default: 16; of slides 128]" in tile.help
    assert "[volumes without --tile only]" in by_name(offered_by(command("embed")))["network"].help
    assert "[slides without --trained only]" in by_name(offered_by(command("cluster")))["encoder"].help
    assert "[slides and sections only]" in by_name(offered_by(command("cluster")))["mpp"].help


def test_a_stage_says_which_run_an_option_is_of() -> None:
    train = by_name(offered_by_stage(COMMANDS, "train"))
    assert "[`run cluster` only]" in train["k"].help
    assert "Of `run embed`: what embeddings are trained for" in train["objective"].help
    assert "default: auto; of `run embed` auto" in train["objective"].help


@pytest.mark.parametrize(("of", "variant"), VARIANTS)
def test_every_setting_that_a_step_reads_is_an_option_of_its_stage(of: Command, variant: Variant) -> None:
    for stage, steps in pipeline(of.name, variant.name).stages.items():
        offered = set(by_name(offered_by_stage([of], stage)))
        read = {READ_AS.get(name, name) for step in steps for name in step.settings}
        assert read & set(variant.settings.model_fields) - REQUIRED.keys() <= offered, stage


def test_stages_that_settings_name_exist() -> None:
    fields = [f for c in COMMANDS for v in c.variants for f in v.settings.model_fields.values()]
    assert {stage for field in fields for stage in option_of(field).stages} == set(STAGES)


def test_where_to_run_is_one_panel_of_all_words_that_a_command_line_can_say() -> None:
    where = offered_of(ClusterOptions)
    assert {one.panel for one in where} == {WHERE} and PANELS[-1] == WHERE
    assert {one.name for one in where} == {f.name for f in ClusterOptions.__dataclass_fields__.values()} - {"client"}
    assert {one.name for one in offered_of(RunOptions)} == {"redo", "force_unlock", "mode"}
    assert all(one.help for one in where)


def test_a_setting_without_an_option_is_refused() -> None:
    class Bare(RunSettings):
        colour: str = "red"

    with pytest.raises(TypeError, match=r"Bare\.colour has no Option"):
        offered_by(Command("toy", "A toy.", (Variant("slides", "slides", Bare),)))


def test_every_kind_of_images_says_what_may_be_given_and_begins_a_run() -> None:
    assert set(INPUTS) == set(MODALITIES) == {name for c in COMMANDS for name in c.images}
    assert [usual(images).name for images in ("slides", "volumes", "films")] == ["cluster", "embed", "anomaly"]
    with pytest.raises(KeyError):
        usual("stacks")


@pytest.mark.parametrize(
    ("name", "images", "given", "variant"),
    [
        ("cluster", {"slides": "a"}, (), "slides"),
        ("cluster", {"volumes": "a", "slides": None}, ("patch",), "volumes"),
        ("embed", {"volumes": "a"}, (), "volumes"),
        ("embed", {"volumes": "a"}, ("patch",), "volume-tiles"),
        ("embed", {"slides": "a"}, (), "slide-tiles"),
        ("embed", {"slides": ["a", "b"], "volumes": []}, ("patch",), "slide-tiles"),
    ],
)
def test_images_and_settings_decide_what_a_run_is(
    name: str, images: dict[str, Any], given: tuple[str, ...], variant: str
) -> None:
    assert command(name).chosen(images, given)[0].name == variant


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ({}, "no images. .* `tile-engine run cluster --slides slides/`"),
        ({"slides": None}, "no images"),
        ({"slides": "a", "volumes": "b"}, "exactly one of"),
    ],
)
def test_exactly_one_kind_of_images_is_given(images: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        command("cluster").chosen(images)
