"""An image that a step rejects after the clusters were ordered: the run goes on without it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.pipeline.record import rejection_of_image
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.cluster.layout import read_layout
from tile_engine.engine.runs.cluster.tree import clusters_document
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.manifest import update_rejected
from tile_engine.engine.search.rows import gathered
from tile_engine.engine.steps import table
from tile_engine.engine.view.levels import tree_of
from tile_engine.stores.array import ArraySpec, StoredArray
from tile_engine.stores.frame import Box
from tile_engine.stores.tables import read_table

pytestmark = pytest.mark.xdist_group("cluster-slides")  # whose finished run is made for the contract


def done_after(step: str, out: Path) -> tuple[Any, str]:
    """(the run after `step` has rejected its first slide, done again from there on; that slide)."""
    job = load(out)
    gone = next(iter(job.slides))
    job = update_rejected(job, gone, rejection_of_image(job.slides[gone], "E_TIMEOUT", "too slow", step))
    steps = list(job.pipeline.steps)
    for name in ("stains", "layout", "match", "table", "report"):
        if steps.index(name) > steps.index(step):
            job.pipeline.steps[name].execute(job, Unit(name, name))
    return job, gone


@pytest.mark.parametrize("step", ["layers", "labels", "pictures"])
def test_a_slide_rejected_late_is_left_out(finished: Callable[[str, str], Any], tmp_path: Path, step: str) -> None:
    job, gone = done_after(step, finished("cluster", "slides").copy(tmp_path / "out"))
    tree, rows = clusters_document(job), read_table(job.folder.table)
    assert list(tree.slides) == list(tree.unlike) == list(job.slides) and gone not in job.slides
    assert tree.tiles == tuple(np.sum([*tree.slides.values()], axis=0).tolist())
    viewed = tree_of(job)
    assert viewed is not None and list(viewed.tiles) == list(job.slides)
    if step != "pictures":  # the table was written before
        assert gone not in set(rows.obs["slide"])
        with (job.folder.out / "clusters.csv").open() as file:
            assert sum(int(row["tiles"]) for row in csv.DictReader(file)) == sum(tree.tiles)


def test_places_in_the_plane_stay_those_of_their_tiles(
    finished: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    monkeypatch.setattr(table, "MAX_TABLE_ROWS", sum(table.looked_at(job, i) for i in job.slides) // 2)
    columns, counts = table.tile_columns(job)
    places = np.stack([columns["row"], columns["column"]], 1).astype("float32")
    spec = ArraySpec(places.shape, "float32", places.shape, places.shape, ("n", "axis"))
    StoredArray.create(job.folder.samples / "umap", spec).write(Box((0, 0), places.shape), places)
    gone = next(iter(job.slides))
    job = update_rejected(job, gone, rejection_of_image(job.slides[gone], "E_TIMEOUT", "too slow", "labels"))
    layout = read_layout(job)
    columns, _ = table.tile_columns(replace(job, slides=layout.images), images=list(job.slides))
    assert np.array_equal(layout.coordinates, np.stack([columns["row"], columns["column"]], 1))
    assert len(layout.coordinates) == sum(counts[1:])


def test_searches_leave_out_a_slide_that_its_table_still_has(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job, gone = done_after("pictures", finished("cluster", "slides").copy(tmp_path / "out"))
    assert gone in set(read_table(job.folder.table).obs["slide"])
    found = gathered(job, "tiles", [])
    assert {found.text("slide", row) for row in range(len(found))} == set(job.slides)
