"""run anomaly on volumes: slices are scored, a volume by their mean and the highest, and maps lie in register with it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine import open_run
from tile_engine.engine.runs.anomaly.networks import networks_of
from tile_engine.engine.runs.anomaly.score_names import QUICK_NAMES
from tile_engine.engine.runs.anomaly.settings import VolumeAnomalySettings
from tile_engine.engine.runs.anomaly.slices import scored_slices, slices_of
from tile_engine.engine.runtime.load import load
from tile_engine.models.anomaly.evidence import error_maps
from tile_engine.models.views.pasted import body_of


@pytest.fixture(scope="module")
def out(finished: Callable[[str, str], Any]) -> Any:
    return finished("anomaly", "volumes").out


def test_a_volume_has_the_mean_and_the_highest_of_its_slices(out: Any) -> None:
    job, table = load(out), open_run(out).table("volumes")
    assert list(table.obs["part"]).count("train") == 1 and set(table.obs["label"][table.obs["part"] == "train"]) == {
        "small"
    }
    assert sorted(table.obs["age"]) == [20.0, 21.0, 22.0, 23.0, 24.0, 25.0], "a column of the list"
    for i, volume in enumerate(job.slides):
        slices = scored_slices(job, volume)
        assert 20 < len(slices.at) <= 32 and (np.diff(slices.at) == 1).all()
        values = table.to_df().iloc[i]
        for name in QUICK_NAMES:
            assert np.isclose(values[name], slices.values[name].mean())
            assert np.isclose(values[f"{name}_highest"], slices.values[name].max())


def test_maps_lie_where_the_slices_lie(out: Any) -> None:
    """The grid is as wide as the volume is long: one empty column at either side."""
    job, run = load(out), open_run(out)
    volume = next(iter(job.slides))
    evidence, error = run.layers("anomaly")[volume].values
    assert error.shape == job.slides[volume].shape == (32, 36, 34)
    slices, at = slices_of(job, volume)
    assert slices.shape[1:] == (1, 36, 36)
    for rows, maps in error_maps(networks_of(job).vae, slices):
        assert np.allclose(error[at[rows]], maps[:, :, 1:-1], atol=1e-5)
    empty = np.setdiff1d(np.arange(32), at)
    assert not evidence[empty].any() and 0 < evidence.max() <= 1


def test_figures_and_pictures_are_of_volumes_that_were_not_learned(out: Any) -> None:
    run = open_run(out)
    figures = run.evaluation
    assert figures["unseen"] and figures["labels"] == {"large": 3, "small": 2} and figures["normal"] == "small"
    shown = figures["scores"]["pasted_both"]
    assert 0 <= shown["detected"]["auroc"] <= 1 and shown["detected"]["low"] is None  # of two and three subjects
    judged = [i for i, volume in enumerate(run.slides) if run.table("volumes").obs["part"].iloc[i] == "test"]
    slices = {i: scored_slices(load(out), run.slides[i]).values["pasted_both"] for i in judged}
    large = [i for i in judged if run.table("volumes").obs["label"].iloc[i] == "large"]
    pairs = [
        (a > b) + (a == b) / 2 for i in large for a in slices[i] for j in set(judged) - set(large) for b in slices[j]
    ]
    assert np.isclose(shown["single"], np.mean(pairs))
    assert set(shown["tone"].values()) == {None}  # two normal volumes tell no correlation
    page = run.report.read_text()
    assert "The least and the most unlike slices" in page and "mean over its axial slices" in page
    assert (run.out / "maps" / "planes.png").stat().st_size > 5_000


def test_slices_are_squares_that_hold_every_volume() -> None:
    def grid(*volumes: tuple[tuple[int, ...], tuple[float, ...]], **settings: Any) -> Any:
        records: Any = [SimpleNamespace(shape=shape, spacing=spacing) for shape, spacing in volumes]
        return VolumeAnomalySettings(**settings).grid(records)

    same = grid(((30, 40, 36), (2000.0,) * 3), ((32, 30, 36), (2000.0,) * 3))
    assert same.shape == (32, 40, 40) and same.spacing == (2000.0,) * 3 and same.whole
    fine = grid(((200, 256, 240), (1000.0,) * 3))
    assert fine.shape == (100, 128, 128) and fine.spacing == (2000.0,) * 3
    thick = grid(((30, 128, 128), (5000.0, 1000.0, 1000.0)))
    assert thick.shape == (30, 128, 128) and thick.spacing == (5000.0, 1000.0, 1000.0)
    assert grid(((200, 256, 240), (1000.0,) * 3), voxel=4.0).shape == (50, 64, 64)
    with pytest.raises(ValueError, match="slices are squares"):
        VolumeAnomalySettings(shape=(80, 96, 80))


def test_anomalies_are_pasted_into_the_body() -> None:
    mean = np.zeros((36, 36))
    mean[8:28, 10:26] = 0.4
    prior = np.array(body_of(mean, cells=18))
    assert prior[4:14, 5:13].all() and prior.sum() == 80
