"""A run by the networks of a finished run: the same clusters on the same slides, without training; else it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.pipeline.fingerprints import fingerprints
from tile_engine.engine.runs import recorded
from tile_engine.engine.runs.cluster.documents import Clusters
from tile_engine.engine.runs.cluster.match import numbering_to_be
from tile_engine.engine.runs.cluster.settings import TrainedClusterSettings
from tile_engine.engine.runs.cluster.trained import check_channels
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
        ({"trained": str(mini.out), "level": 50}, "--level 50: the finest level of this run has"),
    ):
        with pytest.raises(SettingsError, match=words):
            tile_engine.cluster(mini.slides, out, options=options(), **settings)
        assert not (out / "models").exists()


def test_images_of_other_channels_are_refused_before_any_work(mini: Any, tmp_path: Path) -> None:
    def job(channels: int, trained: Path) -> Any:
        settings = SimpleNamespace(trained=str(trained / "models" / "clusterer.json"))
        return SimpleNamespace(settings=settings, slides={"a": SimpleNamespace(channels=channels)})

    with pytest.raises(SettingsError, match=r"see 3 channels, and these images have 1: ") as caught:
        check_channels(job(1, mini.out))
    assert caught.value.code == "E_TRAINED"
    check_channels(job(3, mini.out))
    check_channels(job(1, tmp_path))  # the run is gone: its networks were taken already, or tell


def test_a_new_folder_without_new_images_is_refused(mini: Any, tmp_path: Path) -> None:
    done = mini.cli("apply", mini.out, "--out", tmp_path / "new")
    assert done.returncode == 2 and "give --slides, --volumes, --films or --sections" in done.stderr.replace("\n", " ")


@pytest.mark.nightly
def test_the_numbers_are_those_that_the_trained_run_has_now(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    tree = Clusters(
        numbers=(1, 2),
        parents=(0, 1),
        recommended=2,
        trained=2,
        names=("a", "b"),
        colours=("#000001", "#000002"),
        tiles=(1, 1),
        slides={},
        unlike={},
    )
    (models / "clusterer.json").write_text("{}")
    settings = TrainedClusterSettings(trained=str(models / "clusterer.json"))
    pipeline, job = recorded("cluster", "slides-trained"), SimpleNamespace(settings=settings)

    def prints() -> dict[str, str]:
        return fingerprints(pipeline, settings, 1.0, [], {})

    assert numbering_to_be(job, tree).numbers == (1, 2)
    before = prints()
    matched = {"numbers": [7, 3], "names": ["x", "y"], "colours": ["#000007", "#000003"], "run": "/old"}
    (models / "numbering.json").write_text(json.dumps(matched))
    found = numbering_to_be(job, tree)
    assert found.numbers == (7, 3) and found.names == ("x", "y") and found.run == ""
    changed = [step for step, print_ in prints().items() if print_ != before[step]]
    assert changed == ["match", "labels", "table", "pictures", "report"], "nothing is computed again by a network"
    (models / "normalization.json").write_text("{}")
    assert prints()["take"] != before["take"]


def test_names_of_the_trained_run_are_not_given_to_the_numbers_of_another(tmp_path: Path, mini: Any) -> None:
    out = mini.copy(tmp_path / "trained")
    run = json.loads((out / "run.json").read_text())
    run["settings"]["classes"] = [[1, "Stroma", "", 0]]
    (out / "run.json").write_text(json.dumps(run))
    assert TrainedClusterSettings(trained=str(out)).classes == ((1, "Stroma", "", 0),)
    assert TrainedClusterSettings(trained=str(out), match=str(mini.out), classes="").classes == ()
    with pytest.raises(ValueError, match="go by its own numbers, and --match gives others"):
        TrainedClusterSettings(trained=str(out), match=str(mini.out))
