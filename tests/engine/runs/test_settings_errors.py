"""Settings that cannot be are refused in our own words, every setting of every run, with its name and what it takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tile_engine.engine.pipeline.expected import form_text
from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs import RUNS, command
from tile_engine.engine.workers.site import Jobs
from tile_engine.errors import SettingsError

THEIRS = re.compile(
    r"input should|validation error|type=|\bvalid (integer|number|string|boolean|tuple|list)|pydantic|unable to parse",
    re.I,
)
WRONG: tuple[Any, ...] = (
    "",
    "no such",
    -1,
    10**12,
    0.5,
    [],
    [1],
    {"a": 1},
    float("nan"),
    b"x",
    object(),
    True,
    "1,2,3,4",
)
FIELDS = [
    pytest.param(variant, name, id=f"{run}-{variant.name}-{name}")
    for run in RUNS
    for variant in command(run).variants
    for name in variant.settings.model_fields
]


@pytest.mark.parametrize(("variant", "name"), FIELDS)
def test_a_wrong_value_is_refused_in_our_words(variant: Any, name: str) -> None:
    refused = 0
    for value in WRONG:
        try:
            settings_of({name: value}, variant.settings)
        except SettingsError as error:
            refused += 1
            assert not THEIRS.search(error.message), error.message
            assert name.strip("_") in error.message or repr(value) in error.message, error.message
    assert refused


@pytest.mark.parametrize(
    "variant", [pytest.param(v, id=f"{run}-{v.name}") for run in RUNS for v in command(run).variants]
)
def test_an_unknown_name_is_told_what_it_may_mean(variant: Any) -> None:
    with pytest.raises(SettingsError, match="there is no setting 'efort', did you mean 'effort'"):
        settings_of({"efort": 1}, variant.settings)


@pytest.mark.parametrize(
    ("run", "variant", "settings", "said"),
    [
        (
            "cluster",
            "slides",
            {"patch": "33"},
            "patch = '33': 33 is no side of a patch: sides are 32 to 1024 pixels, in steps of 16",
        ),
        ("cluster", "slides", {"codec": "jpeg"}, "codec = 'jpeg': give zstd, lz4 or none"),
        ("cluster", "slides", {"umap": "perhaps"}, "umap = 'perhaps': give true or false"),
        ("cluster", "slides", {"spacing": "wide"}, "spacing = 'wide': give a number, over 0, up to 20"),
        ("cluster", "slides", {"effort": "hard"}, "effort = 'hard': effort is quick, normal, thorough or a number"),
        ("embed", "volumes", {"shape": [1, 2]}, "give three whole numbers"),
        ("embed", "volumes", {"suffix": "a/b"}, "suffix = 'a/b': give letters and digits alone, such as T1w"),
        ("classify", "films", {"cv": 1}, "cv = 1: give a whole number, 2 to 20"),
    ],
)
def test_an_error_says_the_value_and_what_is_taken(run: str, variant: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(settings, command(run).named(variant).settings)
    assert said in caught.value.message


def test_a_text_with_a_pattern_says_in_words_what_it_takes() -> None:
    """No error shows a regular expression."""
    models = [Jobs, *dict.fromkeys(one.settings for name in RUNS for one in command(name).variants)]
    fields = {(m.__name__, name): field for m in models for name, field in m.model_fields.items()}
    patterned = {
        key: field for key, field in fields.items() if re.search(r"\bpattern=r?['\"]", f"{field} {field.annotation}")
    }
    assert {("Jobs", "memory"), ("Jobs", "worker_extra_args"), ("EmbedSettings", "suffix")} <= set(patterned)
    assert [key for key, field in patterned.items() if not form_text(field)] == []
