"""run cluster with two sizes of patch, on blocks of sections; and blocks clustered by the networks of a finished run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.compute import fit
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search.encode import encoded
from tile_engine.engine.steps.autoencoder import train_autoencoder
from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.errors import SettingsError
from tile_engine.models.replica import SINGLE
from tile_engine.models.training.reconstruction import Reconstruction

pytestmark = pytest.mark.xdist_group("cluster-sections")


@pytest.fixture(scope="module")
def clustered(finished: Callable[[str, str], Any]) -> Any:
    return finished("cluster", "sections")


def test_a_tile_has_the_codes_of_both_sizes_around_its_centre(clustered: Any) -> None:
    job, run = load(clustered.out), tile_engine.open_run(clustered.out)
    assert run.settings["patch"] == [32, 64] and (job.settings.side, job.settings.step) == (64, 16)
    rows = run.table("tiles")[:3]
    assert rows.shape[1] == 2 * 128
    first = rows.obs[["y", "x"]].to_numpy() - (64 - 16) // 2
    patches = read_patches(job.image(str(rows.obs["slide"].iloc[0])), first, 64)
    again = encoded(job, patches)  # as a search encodes a patch
    assert np.allclose(again, rows.X, atol=2e-2)
    changed = patches.copy()
    changed[:, :, :16] = 0  # beyond the smaller patch
    moved = np.abs(encoded(job, changed) - again).max(0)
    assert moved[:128].max() == 0 and moved[128:].max() > 0.1


def test_the_report_names_both_sizes(clustered: Any) -> None:
    report = (clustered.out / "report.html").read_text()
    assert "32 and 64, 16 px" in report and "The dashed square is the patch of 32 px" in report


def test_a_training_that_stops_in_the_second_size_does_not_repeat_the_first(
    clustered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, plain, steps = load(clustered.copy(tmp_path / "out")), Reconstruction.step, []
    monkeypatch.setattr(fit, "STEPS_PER_CHECKPOINT", 1)

    def stopping(phase: Reconstruction, index: int) -> dict[str, float]:
        side = phase.autoencoder.patch
        steps.append((side, index))
        if side == 64 and index == 1 and steps.count((64, 1)) == 1:
            raise KeyboardInterrupt
        return plain(phase, index)

    monkeypatch.setattr(Reconstruction, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_autoencoder(job, Unit("autoencoder", "autoencoder"), SINGLE)
    last = max(index for side, index in steps if side == 32)
    stop = len(steps)
    train_autoencoder(job, Unit("autoencoder", "autoencoder"), SINGLE)
    assert steps[stop : stop + 2] == [(32, last), (64, 1)], "each goes on from its own checkpoint"
    for name in ("autoencoder.safetensors", "autoencoder.json"):
        assert (job.folder.out / "models" / name).read_bytes() == (clustered.out / "models" / name).read_bytes()
    assert not list((job.folder.out / "models").glob("*.training.safetensors"))


@pytest.mark.nightly
def test_the_same_blocks_get_the_same_clusters_without_training(
    clustered: Any, finished: Callable[[str, str], Any]
) -> None:
    run, trained = (tile_engine.open_run(finished("cluster", v).out) for v in ("sections-trained", "sections"))
    assert run.settings["patch"] == [32, 64] and run.settings["resolution"] == 64
    assert not (run.out / "samples.zarr" / "patches").exists()
    for name in ("assignment", "clusters"):
        assert all((trained.layers(name)[s].values == run.layers(name)[s].values).all() for s in run.slides)


def test_blocks_in_a_stain_that_the_networks_do_not_know_are_refused_by_name(clustered: Any, tmp_path: Path) -> None:
    listed = next(iter(clustered.images.values()))
    shutil.copytree(listed.parent, tmp_path / "sections")
    other = tmp_path / "sections" / "list.csv"
    other.write_text(other.read_text().replace(",Ki67,", ",CD31,"))
    options = RunOptions(cluster=ClusterOptions(cluster="none"))
    with pytest.raises(SettingsError, match=r"blocks in HE, PanCK, Ki67, .*: one_Ki67.png \(CD31\)") as caught:
        tile_engine.cluster(sections=other, out=tmp_path / "out", trained=str(clustered.out), options=options)
    assert caught.value.code == "E_TRAINED" and not (tmp_path / "out" / "models").exists()


def test_networks_of_slides_know_no_stains_of_blocks(clustered: Any, mini: Any, tmp_path: Path) -> None:
    options = RunOptions(cluster=ClusterOptions(cluster="none"))
    with pytest.raises(SettingsError, match="were not trained on stacks of stains"):
        tile_engine.cluster(**clustered.images, out=tmp_path / "out", trained=str(mini.out), options=options)


@pytest.mark.parametrize("given", ["32,64", "64, 32", (32, 64)])
def test_the_sizes_of_the_networks_may_be_given_again_and_no_others(clustered: Any, tmp_path: Path, given: Any) -> None:
    from tile_engine.engine.pipeline.settings import settings_of
    from tile_engine.engine.runs.cluster.settings import TrainedSectionSettings

    settings = {"trained": str(clustered.out), "patch": given}
    assert settings_of(settings, TrainedSectionSettings).patch == (32, 64)
    with pytest.raises(SettingsError, match="patch: 64 was given, and the networks of"):
        settings_of(settings | {"patch": 64}, TrainedSectionSettings)


def test_stacks_are_clustered_stain_by_stain_on_one_grid(clustered: Any, tmp_path: Path) -> None:
    given = clustered.settings | {"stains": "apart", "patch": 32}
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert", "sample"))
    out = tmp_path / "out"
    runs = tile_engine.cluster(sections=clustered.out, out=out, options=options, **given)
    assert sorted(runs.runs) == ["HE", "Ki67", "PanCK"] and "list of sections" in (out / "report.html").read_text()
    assert len({run.settings["spacing"] for run in runs.runs.values()} - {None}) == 1
    whole = tile_engine.open_run(clustered.out)
    for n, stain in enumerate(("HE", "PanCK", "Ki67")):
        run = runs.runs[stain]
        assert (run.settings["stain"], run.settings["stains"]) == (stain, "together")
        assert len(run.images) == (1 if stain == "Ki67" else 2), "a block without the stain is left out"
        for block, image in run.images.items():
            assert np.array_equal(image, np.asarray(whole.image(block))[3 * n : 3 * n + 3])
