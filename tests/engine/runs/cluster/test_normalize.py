"""The slide that stains are normalised to, and what a network then sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.cluster import normalize
from tile_engine.engine.runs.cluster.normalize import check_coloured, choose_target, target_units
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps import normalization
from tile_engine.engine.steps.normalization import prepare_of, target_of
from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.errors import SettingsError
from tile_engine.models.stains.profile import StainProfile, stain_profile

UNIT = Unit("normalize", "normalize")


@pytest.fixture
def job(mini: Any, tmp_path: Path) -> Job[Any]:
    """A finished run without normalisation, as if it had been asked for."""
    job = load(mini.copy(tmp_path / "out"))
    return replace(job, settings=job.settings.model_copy(update={"normalize": "macenko"}))


def test_nothing_is_chosen_where_nothing_is_normalised(mini: Any) -> None:
    assert list(target_units(load(mini.out), "normalize")) == [] and target_of(load(mini.out)) is None


def test_slides_without_colours_are_refused_before_any_work(mini: Any) -> None:
    job = load(mini.out)
    grey = {slide: replace(record, channels=1) for slide, record in job.slides.items()}
    check_coloured(replace(job, slides=grey))  # nothing is to be normalised
    asked = replace(job, settings=job.settings.model_copy(update={"normalize": "macenko"}))
    check_coloured(replace(asked, slides={**grey, "a": next(iter(job.slides.values()))}))
    with pytest.raises(SettingsError, match="nothing to normalise to") as caught:
        check_coloured(replace(asked, slides=grey))
    assert caught.value.code == "E_STAINS"


def finest_stain(job: Job[Any], slide: str) -> StainProfile | None:
    """The profile of a slide of which a mask at 8 um holds too little."""
    source = job.image(slide)
    return stain_profile(source.read(source.frames[0].box).reshape(3, -1).T)


def test_a_slide_of_the_run_is_the_target_and_networks_see_the_others_like_it(
    job: Job[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (normalize, normalization):
        monkeypatch.setattr(module, "slide_stain", finest_stain)
    assert list(target_units(job, "normalize")) == [UNIT]
    [written] = choose_target(job, UNIT).files
    target = target_of(job)
    assert written.path.name == "normalization.json" and target is not None and target.method == "macenko"
    places = np.array([[64, 64], [128, 96]])
    changes = {}
    for slide, record in job.slides.items():
        pixels = read_patches(job.image(slide), places, 32)
        prepared = prepare_of(job, slide)(pixels.copy(), places)
        assert prepared.shape == pixels.shape and prepared.dtype == np.uint8
        changes[record.name] = float(np.abs(prepared.astype(int) - pixels).mean())
    assert min(changes, key=lambda name: changes[name]) == target.slide and max(changes.values()) > 2


def test_slides_without_a_stain_cannot_be_normalised(job: Job[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalize, "slide_stain", lambda job, slide: None)
    with pytest.raises(SettingsError, match="no slide has a stain that can be told") as refused:
        choose_target(job, UNIT)
    assert refused.value.code == "E_STAINS"
