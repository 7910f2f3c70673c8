"""A run by the networks of a finished run: the same clusters on the same slides, without training; else it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.errors import SettingsError


def options() -> RunOptions:
    return RunOptions(cluster=ClusterOptions(cluster="none"))


def test_the_same_slides_get_the_same_clusters_without_training(mini: Any, tmp_path: Path) -> None:
    done = mini.cli("apply", mini.out, "--slides", mini.slides, "--out", tmp_path / "new", "--cluster", "none")
    assert done.returncode == 0, done.stderr
    run, trained = tile_engine.open_run(tmp_path / "new"), tile_engine.open_run(mini.out)
    assert run.settings["patch"] == 32 and not (run.out / "samples.zarr" / "patches").exists()
    for name in ("assignment", "clusters"):
        old, new = trained.layers(name), run.layers(name)
        assert run.slides == trained.slides and all((old[s].values == new[s].values).all() for s in run.slides)
    assert all(run.document(name) == trained.document(name) for name in ("clusters", "numbering"))
    assert sum(run.document("clusters")["unlike"].values()) < 0.2 * run.shares["tiles"].sum()


def test_what_contradicts_the_networks_is_refused_before_anything_is_written(mini: Any, tmp_path: Path) -> None:
    out = tmp_path / "new"
    for settings, words in (
        ({"trained": str(mini.out), "patch": 64}, "patch: 64 was given, and the networks of"),
        ({"trained": str(tmp_path)}, "holds no run"),
        ({"trained": ""}, "--trained names no run"),
        ({"trained": str(mini.out), "k": 4}, "k"),
    ):
        with pytest.raises(SettingsError, match=words):
            tile_engine.cluster(mini.slides, out, options=options(), **settings)
        assert not (out / "models").exists()


def test_a_new_folder_without_new_images_is_refused(mini: Any, tmp_path: Path) -> None:
    done = mini.cli("apply", mini.out, "--out", tmp_path / "new")
    assert done.returncode == 2 and "give --slides or --volumes" in done.stderr.replace("\n", " ")
