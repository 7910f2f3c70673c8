"""The forecast of a run on tiles has the seconds of every step that takes long, by the step's own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.estimate import Estimate
from tile_engine.engine.steps.pace import FEW_PATCHES, seconds_of_steps
from tile_engine.engine.steps.usual_pace import CHEAP_STEPS

SIZES = Estimate(1, 10**9, 0.5, "slides", "", {}, FEW_PATCHES // 8, 300, 0, 1.0, 0, 0, 0)
LONG = {
    "pixels",
    "patches",
    "autoencoder",
    "view_embeddings",
    "number",
    "heads",
    "tiles",
    "layout",
    "table",
    "pictures",
    "report",
}


def forecast(run: Any, **changes: Any) -> dict[str, float]:
    job = load(run.out)
    job = replace(job, settings=job.settings.model_copy(update={"device": "cpu", "umap": True, "effort": 0.02}))
    return seconds_of_steps(job, SIZES, changes.get("names", job.pipeline.steps))


def test_every_long_step_has_its_seconds(finished: Callable[..., Any]) -> None:
    seconds = forecast(finished("cluster", "slides"))
    known = {name: value for name, value in seconds.items() if value is not None}
    assert set(seconds) == set(known) == LONG and min(known.values()) >= 0
    assert known["pixels"] >= 99.9  # longer where others use the cores
    alone = forecast(finished("cluster", "slides"), names=["pictures", "report"])
    assert set(alone) == {"pictures", "report"}
    assert alone["pictures"] / alone["report"] > known["pictures"] / known["report"], "the others are drawn meanwhile"


def test_the_registration_of_sections_is_named_and_nobody_knows_its_seconds(finished: Callable[..., Any]) -> None:
    run = finished("cluster", "sections")
    seconds = forecast(run)
    assert set(seconds) == LONG | {"pairs", "stain_effects"}
    assert [name for name, value in seconds.items() if value is None] == ["pairs", "stain_effects"]
    later = [name for name in load(run.out).pipeline.steps if name not in ("overviews", "pairs", "stain_effects")]
    assert set(forecast(run, names=later)) == LONG


def test_on_a_gpu_the_steps_of_the_network_are_named(finished: Callable[..., Any]) -> None:
    job = load(finished("cluster", "slides").out)
    job = replace(job, settings=job.settings.model_copy(update={"device": "cuda"}))
    seconds = seconds_of_steps(job, SIZES, job.pipeline.steps)
    assert {name for name, value in seconds.items() if value is None} == {"autoencoder", "view_embeddings", "tiles"}


@pytest.mark.parametrize(
    ("name", "variant", "trained"),
    [
        ("embed", "volumes", "networks encode"),
        ("cluster", "subjects", "networks encode"),
        ("sites", "volumes", "networks"),
        ("classify", "films", "networks probabilities"),
        ("anomaly", "films", "vae spotters"),
        ("harmonize", "volumes", "generator harmonize"),
        ("register", "sections", ""),
    ],
)
def test_long_steps_of_other_runs_have_their_seconds_or_are_named(
    finished: Callable[..., Any], name: str, variant: str, trained: str
) -> None:
    """Where a network can be tried its training has seconds, which grow with the effort."""
    job, forecasts = load(finished(name, variant).out), []
    for effort in (0.02, 2.0):
        job = replace(job, settings=job.settings.model_copy(update={"device": "cpu", "effort": effort}))
        forecasts.append(job.pipeline.seconds(job, job.pipeline.estimate(job), list(job.pipeline.steps), 0))
    long = {step.name for step in job.pipeline.steps.values() if step.progress}
    assert long <= set(forecasts[0])
    for step in trained.split():
        assert forecasts[0][step] > 0
    for step in trained.split()[:1]:
        assert forecasts[1][step] > 5 * forecasts[0][step]


@pytest.mark.parametrize(("name", "variant"), [("embed", "volumes"), ("sites", "volumes"), ("anomaly", "films")])
def test_a_step_without_seconds_is_told_unless_it_is_cheap(
    finished: Callable[..., Any], name: str, variant: str
) -> None:
    job = load(finished(name, variant).out)
    found = job.pipeline.seconds(job, job.pipeline.estimate(job), list(job.pipeline.steps), 0)
    assert found.keys() | CHEAP_STEPS >= set(job.pipeline.steps) and found["evaluate"] is None
