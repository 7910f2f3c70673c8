"""Areas and volumes beside the shares of clusters."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest

import tile_engine
from tile_engine.engine.runtime.load import load
from tile_engine.stores.cells import LabelCells


@pytest.mark.xdist_group("cluster-volumes")  # whose finished run is made for the contract
def test_sizes_are_those_of_the_labelled_cells(finished: Callable[[str, str], Any]) -> None:
    run = tile_engine.open_run(finished("cluster", "volumes").out)
    job = load(run.out)
    total = 0.0
    for image in job.slides:
        label = LabelCells.open(job.folder.label(image, "clusters"))
        depth, height, width = label.frame.spacing
        size = int((label.read_all() > 0).sum()) * depth * height * width / 1e9
        assert run.shares.loc[image, "tiles_mm3"] == pytest.approx(size, abs=1e-5)
        total += size
    with (run.out / "clusters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["mm3"]) for row in rows) == pytest.approx(total, rel=1e-6)
