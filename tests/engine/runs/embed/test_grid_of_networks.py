"""`--network yamaguchi`: sixteen networks from one command, each a unit of its own, and judged side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import tile_engine
from tile_engine.engine.runs.embed.networks import training_units
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.steps.volumes.settings import PRESETS
from tile_engine.engine.workers.placement import ClusterOptions

GRID = PRESETS[2:]


def begun(folder: Path, **given: Any) -> Path:
    """A run on four small volumes."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    for i in range(4):
        values = np.zeros((32, 32, 32))
        values[6:26, 6:26, 6:26] = 300 + 20 * i
        values = (values + draw.normal(0, 5, values.shape)).clip(0).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"case{i}.nii.gz")
    out = folder.parent / "out"
    options = RunOptions(cluster=ClusterOptions(cluster="none"), **given)
    tile_engine.embed(folder, out, options=options, network="yamaguchi", effort=0.005, cv=0, threads=1, umap=False)
    return out


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun(tmp_path_factory.mktemp("grid") / "volumes")


def test_every_network_of_the_grid_is_a_unit(tmp_path: Path) -> None:
    names = [unit.name for unit in training_units(load(begun(tmp_path / "volumes", stages=("convert",))), "networks")]
    assert sorted(names) == sorted(f"{network}-all" for network in GRID) and len(names) == 16


@pytest.mark.nightly
def test_every_network_of_the_grid_is_a_unit_with_a_model(done: Path) -> None:
    names = {unit.name for unit in training_units(load(done), "networks")}
    assert names == {f"{network}-all" for network in GRID} and len(names) == 16
    assert {p.stem for p in (done / "models").glob("*.safetensors")} == names
    assert {p.stem for p in (done / "receipts").rglob("yamaguchi-*.json")} >= names


@pytest.mark.nightly
def test_all_are_judged_and_the_best_makes_the_table(done: Path) -> None:
    methods = json.loads((done / "models" / "evaluation.json").read_text())["methods"]
    errors = {network: methods[network]["rmse %"]["mean"] for network in GRID}
    assert all(np.isfinite(error) and error > 0 for error in errors.values())
    table = tile_engine.open_run(done).volumes
    best = table.uns["tile_engine"]["network"]
    assert errors[best] == min(errors.values())
    blocks, maps = (int(n) for n in best.removeprefix("yamaguchi-").split("x"))
    assert table.X.shape == (4, maps * (32 >> blocks) ** 3)


@pytest.mark.nightly
def test_the_report_shows_them_side_by_side(done: Path) -> None:
    page = (done / "report.html").read_text()
    assert all(network in page for network in GRID)
