"""Settings: what cannot be is refused before any work, every problem at once, with the value and what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.engine.pipeline.settings import RunSettings, settings_of
from tile_engine.engine.runs.anomaly.settings import SlideAnomalySettings
from tile_engine.engine.runs.cluster.settings import ClusterSettings, SectionClusterSettings, VolumeClusterSettings
from tile_engine.engine.runs.embed.settings import EmbedSettings
from tile_engine.engine.runs.embed.tile_settings import SlideTileSettings, VolumeTileSettings
from tile_engine.engine.runs.sites.settings import SlideSitesSettings
from tile_engine.errors import SettingsError


@pytest.mark.parametrize(
    ("given", "begun", "grid"),
    [
        (None, None, "image"),
        ("cells", None, "cells"),
        (None, {}, "cells"),
        (None, {"label_grid": "image"}, "image"),
        (None, {"label_grid": "cells"}, "cells"),
        ("image", {}, "image"),
    ],
)
@pytest.mark.parametrize("model", [ClusterSettings, VolumeClusterSettings, EmbedSettings])
def test_labels_have_the_grid_of_their_image_and_a_run_keeps_the_grid_it_began_with(
    model: type[RunSettings], given: str | None, begun: dict[str, Any] | None, grid: str
) -> None:
    """`{}` are the settings of a run from before there was this one: it had its labels on their cells."""
    settings = settings_of({"label_grid": given}, model).as_begun(begun)
    assert settings.deciding(["label_grid"]) == ({"label_grid": "image"} if grid == "image" else {})
    assert settings.labels_on_image == (grid == "image")


@pytest.mark.parametrize(
    ("given", "k"),
    [("auto", (2, 20)), ("14", (14, 14)), (14, (14, 14)), ("2-20", (2, 20)), ("3..5", (3, 5)), ((2, 4), (2, 4))],
)
def test_k_is_a_number_a_range_or_auto(given: Any, k: tuple[int, int]) -> None:
    assert settings_of({"k": given}, ClusterSettings).k == k


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pach": 64}, "there is no setting 'pach', did you mean 'patch'?"),
        ({"k": "1"}, "got 1 to 1"),
        ({"k": "9-3"}, "got 9 to 3"),
        ({"k": "many"}, "'many' is neither a number"),
        ({"k": "2-3-4"}, "'2-3-4'"),
        ({"patch": 33}, "patch = 33"),
        ({"patch": 64, "stride": 128}, "patch 64 minus stride 128"),
        ({"patch": 64, "stride": 15}, "patch 64 minus stride 15"),
        ({"codec": "jpeg"}, "codec = 'jpeg'"),
        ({"pixels": "some"}, "pixels = 'some'"),
        ({"mpp": 0}, "mpp = 0"),
        ({"mpp": float("nan")}, "mpp = nan"),
        ({"spacing": float("inf")}, "spacing = inf"),
        ({"effort": "lots"}, "effort = 'lots'"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_value(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(given, ClusterSettings)
    assert said in caught.value.message and caught.value.exit_status == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of({"patch": 1, "seeds": 0, "nothing": 1}, ClusterSettings)
    assert all(word in caught.value.message for word in ("patch = 1", "seeds = 0", "'nothing'"))


def test_what_is_not_given_keeps_its_default_and_settings_survive_json() -> None:
    assert settings_of({"k": None, "patch": None}, ClusterSettings) == ClusterSettings()
    made = settings_of({"k": "3-7", "effort": "quick", "stride": 32}, ClusterSettings)
    assert ClusterSettings.model_validate(made.model_dump(mode="json")) == made
    assert made.step == 32 and ClusterSettings().step == 64 and made.effort == 0.4


@pytest.mark.parametrize("model", [ClusterSettings, VolumeClusterSettings, SlideTileSettings, VolumeTileSettings])
@pytest.mark.parametrize(
    "given", [64, 64.0, "64", " 64 ", "64,64", "64,64,64", "64x64x64", "64 X 64", (64, 64, 64), [64]]
)
@pytest.mark.parametrize("name", ["patch", "stride"])
def test_a_side_is_a_number_or_the_same_along_every_axis_everywhere(
    model: type[RunSettings], given: Any, name: str
) -> None:
    made = settings_of({"patch": 64} | {name: given}, model).model_dump()
    assert made[name] == 64 and isinstance(made[name], int)


@pytest.mark.parametrize("model", [ClusterSettings, SectionClusterSettings, SlideTileSettings])
@pytest.mark.parametrize("given", ["64,128", " 128 , 64", (64, 128), [128, 64], "64,128.0"])
def test_two_sizes_are_named_by_numbers_that_differ(model: Any, given: Any) -> None:
    made = settings_of({"patch": given}, model)
    assert made.patch == made.sides == (64, 128) and (made.side, made.step) == (128, 32)
    assert model.model_validate(made.model_dump(mode="json")) == made


def test_a_stride_fits_every_size() -> None:
    assert settings_of({"patch": "64,128", "stride": 64}, ClusterSettings).step == 64
    with pytest.raises(SettingsError, match="patch 64 minus stride 80"):
        settings_of({"patch": "64,128", "stride": 80}, ClusterSettings)


@pytest.mark.parametrize("given", ["64x128", "64,64,128", "64,2000", "64,100", "64,128.5", "64,many", ("64", None), []])
def test_what_is_no_list_of_sizes_is_refused(given: Any) -> None:
    with pytest.raises(SettingsError, match="patch = "):
        settings_of({"patch": given}, SectionClusterSettings)


def test_a_frozen_encoder_embeds_one_size() -> None:
    with pytest.raises(SettingsError, match="encoder: a frozen encoder embeds patches of one size, and patch names 2"):
        settings_of({"patch": "64,128", "encoder": "/an/encoder.safetensors"}, ClusterSettings)


@pytest.mark.parametrize("model", [SlideAnomalySettings, SlideSitesSettings, VolumeTileSettings])
def test_runs_whose_network_has_one_size_refuse_two(model: Any) -> None:
    with pytest.raises(SettingsError, match="has unequal sides"):
        settings_of({"patch": "64,128"}, model)


@pytest.mark.parametrize("given", ["64,32", "64x64x32", (64, 32), [], "", "sixty"])
def test_sides_that_differ_or_are_none_are_refused(given: Any) -> None:
    with pytest.raises(SettingsError, match="patch = "):
        settings_of({"patch": given}, VolumeClusterSettings)
