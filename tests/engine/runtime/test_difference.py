"""What differs between a command and the run in OUT is said in the words of its images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.images.modality import VOLUMES
from tile_engine.engine.pipeline.documents import read_run
from tile_engine.engine.runtime.difference import _unsaid, settings_diff, slides_diff
from tile_engine.engine.runtime.load import load
from tile_engine.errors import SettingsError


def test_volumes_are_called_volumes_and_their_spacing_is_in_millimetres(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "subjects").out)
    first, second, *_ = job.slides.values()
    changed = {first.id: replace(first, fingerprint="other"), "new": replace(second, id="new", name="new.nii")}
    noun = job.modality.noun
    lines = slides_diff({first.id: first, second.id: second}, changed, noun)
    assert lines == [f"volume added: {'new.nii'}", f"volume changed: {first.name}", f"volume removed: {second.name}"]
    run = read_run(job.folder)
    assert settings_diff(run, job.settings, 2 * run.spacing, VOLUMES.length)[-1] == "spacing of the run: 2 mm -> 4 mm"


def test_a_setting_that_the_version_of_a_run_did_not_have_counts_as_its_default(
    finished: Callable[[str, str], Any],
) -> None:
    job = load(finished("cluster", "slides").out)
    run = read_run(job.folder)
    older = run.model_copy(update={"settings": {k: v for k, v in run.settings.items() if k != "training_dtype"}})
    assert settings_diff(older, job.settings, run.spacing, VOLUMES.length) == []
    other = job.settings.model_copy(update={"training_dtype": "bf16"})
    assert settings_diff(older, other, run.spacing, VOLUMES.length) == ["training_dtype: float32 -> bf16"]


def test_steps_that_an_earlier_version_did_otherwise_are_said_to_be_that(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    cohort = finished("cluster", "slides")
    out = cohort.copy(tmp_path / "out")
    document = json.loads((out / "run.json").read_text())
    document["fingerprints"]["view_embeddings"] = "of an earlier version"
    del document["settings"]["training_dtype"]
    (out / "run.json").write_text(json.dumps(document))
    with pytest.raises(SettingsError) as refused:
        cohort.again(out)
    lines = refused.value.message.splitlines()
    assert (
        "  settings and images are the same; the version of tile-engine that began the run did these steps otherwise"
        in lines
    )
    assert "  to be done again: embed views" in lines and "training_dtype" not in refused.value.message


def test_a_file_beside_the_one_that_the_settings_name_is_said_too(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("classify", "films").out)
    step = replace(job.pipeline.steps["folds"], files=("weights",), beside=("folds.json",))
    settings = job.settings.model_copy(update={"weights": "/w/network.safetensors"})
    assert "; /w/network.safetensors (or folds.json beside it) has other content" in _unsaid(step, settings)
    assert "content" not in _unsaid(step, job.settings), "the settings name no file"
