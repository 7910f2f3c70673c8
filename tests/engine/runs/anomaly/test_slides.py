"""run anomaly on slides: every tile is scored alone, a slide by its highest tiles, and maps and galleries are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tile_engine import open_run
from tile_engine.engine.runs.anomaly.score_names import PROPERTIES, QUICK_NAMES
from tile_engine.engine.runs.anomaly.slides import top_mean
from tile_engine.engine.runs.anomaly.tiles import scorer_of
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.normalization import prepare_of
from tile_engine.stores.frame import Box
from tile_engine.stores.image import attributes_of


@pytest.fixture(scope="module")
def out(finished: Callable[[str, str], Any]) -> Any:
    return finished("anomaly", "slides").out


def test_a_tile_has_the_score_in_the_layer_that_it_has_alone(out: Any) -> None:
    job, run = load(out), open_run(out)
    slide, scorer = next(iter(job.slides)), scorer_of(job)
    assert scorer.stride == (32, 32) and scorer.halo == (0, 0)
    layers = {name: run.layers(name)[slide].values for name in ("anomaly", "tone")}
    tiles = np.argwhere(layers["tone"][-1] > 0)
    row, column = tiles[len(tiles) // 2]
    box = Box((row * 32, column * 32), (row * 32 + 32, column * 32 + 32))
    pixels = prepare_of(job, slide)(job.image(slide).read(box)[None].copy(), np.array([box.start]))
    alone = next(iter(scorer(iter([pixels]))))
    for name, values in alone.items():
        assert np.allclose(values[0, :, 0, 0], layers[name][:, row, column], rtol=1e-4, atol=1e-4)
    assert np.isclose(layers["tone"][0, row, column], pixels.mean() / 255, rtol=1e-5)
    stated = attributes_of(job.folder.layer(slide, "anomaly"))["tile_engine"]["channels"]
    assert tuple(stated) == QUICK_NAMES and stated[2] == "pasted_both"


def test_tables_hold_every_tile_and_a_slide_has_the_mean_of_its_highest_tiles(out: Any) -> None:
    run = open_run(out)
    slides, tiles = run.table("slides"), run.tiles
    assert slides.n_obs == 3 and set(slides.obs["part"]) == {"train"} and list(tiles.var_names) == list(QUICK_NAMES)
    for i, slide in enumerate(run.slides):
        own = tiles[tiles.obs["slide"] == slide]
        assert own.n_obs == (run.layers("tone")[slide].values[-1] > 0).sum() > 50
        count = max(1, round(0.01 * own.n_obs))
        assert np.allclose(np.sort(own.X, 0)[-count:].mean(0), slides.X[i], rtol=1e-6)
        assert np.allclose(own.obs[list(PROPERTIES)].mean(), slides.obs[list(PROPERTIES)].iloc[i], rtol=1e-5)


def test_the_report_says_that_rare_tissue_is_sought_and_shows_each_slide(out: Any) -> None:
    run = open_run(out)
    figures = run.evaluation
    assert not figures["unseen"] and figures["trained"] == figures["judged"] == 3
    assert figures["scores"]["pasted_both"]["detected"] is None and "is rare" in figures["notes"][0]
    page = run.report.read_text()
    assert "what is unlike most is rare" in page and "highest 1 %" in page
    assert all(run.map(slide).stat().st_size > 5_000 for slide in run.slides)


def test_a_slide_is_scored_by_its_highest_tiles() -> None:
    scores = np.array([np.arange(500.0), np.zeros(500)])
    assert top_mean(scores).tolist() == [497.0, 0.0]
    assert top_mean(scores[:, :3]).tolist() == [2.0, 0.0]
