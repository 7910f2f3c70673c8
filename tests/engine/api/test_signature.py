"""`help(tile_engine.cluster)` shows every setting as a keyword, with the model's default and the option's help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import tile_engine
from tile_engine.engine.pipeline.offered import offered_by
from tile_engine.engine.runs import command
from tile_engine.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "function"), [(name, getattr(tile_engine, name)) for name in ("cluster", "embed", "sites")]
)
def test_settings_are_keywords_with_their_defaults_and_help(name: str, function: Callable[..., Any]) -> None:
    shown = inspect.signature(function).parameters
    assert list(shown)[1] == "out" and "settings" not in shown
    for one in offered_by(command(name)):
        keyword = shown[one.name]
        assert keyword.kind is keyword.KEYWORD_ONLY and keyword.default == one.default
        assert f"\n    {one.name}: " in (function.__doc__ or "")


def test_a_default_that_depends_is_none_and_is_said_in_words() -> None:
    patch = inspect.signature(tile_engine.cluster).parameters["patch"]
    assert patch.default is None and "None" in str(patch.annotation) and "str" in str(patch.annotation)
    assert "[default: 128; of volumes 16]" in (tile_engine.cluster.__doc__ or "")
    assert inspect.signature(tile_engine.cluster).parameters["k"].default == (2, 20)


def test_python_help_names_keywords_and_no_options() -> None:
    text = (tile_engine.embed.__doc__ or "").split("Settings:")[1]
    assert "--" not in text and "volumes without `patch` only" in text


def test_an_unknown_setting_is_refused_by_name(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="did you mean 'patch'"):
        tile_engine.cluster(tmp_path, tmp_path / "out", pach=64)
