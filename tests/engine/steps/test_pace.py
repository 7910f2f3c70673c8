"""The forecast of a run on tiles has the seconds of every step that takes long, by the step's own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.estimate import Estimate
from tile_engine.engine.steps.pace import FEW_PATCHES, seconds_of_steps

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
    assert set(seconds) == LONG and min(seconds.values()) > 0
    assert seconds["pixels"] >= 99.9  # longer where others use the cores
    assert set(forecast(finished("cluster", "slides"), names=["pixels", "report"])) == {"pixels", "report"}


def test_nothing_is_forecast_before_sections_are_registered(finished: Callable[..., Any]) -> None:
    run = finished("cluster", "sections")
    assert forecast(run) == {}
    later = [name for name in load(run.out).pipeline.steps if name not in ("overviews", "pairs")]
    assert set(forecast(run, names=later)) == LONG
