"""Clusters that take the numbers, colours and names of an old run: by tiles that both runs have, or not at all."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.cli.app import app
from tile_engine.engine.api.commands import resume
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.runs.cluster.documents import Clusters
from tile_engine.engine.runs.cluster.match import OldClusters, nearest_cells, numbered_as
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Frame

NONE = ClusterOptions(cluster="none")
OLD = OldClusters(Folder(Path("/old")), (1, 2, 5), ("gland", "cluster 2", "fat"), ("#0072b2", "#ff0000", "#56b4e9"))
TREE = Clusters(
    numbers=(1, 2, 3, 4),
    parents=(0, 1, 1, 2),
    recommended=3,
    trained=3,
    names=tuple(f"cluster {n}" for n in range(1, 5)),
    colours=("#0072b2", "#e69f00", "#009e73", "#d55e00"),
    tiles=(1, 1, 1, 1),
    slides={},
    unlike={},
)


def options() -> RunOptions:
    return RunOptions(cluster=NONE)


def test_numbers_names_and_colours_are_the_old_ones_and_others_are_unused() -> None:
    overlap = np.array([[0, 90, 10], [0, 0, 40], [5, 20, 1], [0, 3, 30]])
    found = numbered_as(TREE, OLD, overlap, ("a",))
    assert found.numbers == (2, 5, 1, 6) and found.names == ("cluster 2", "fat", "gland", "cluster 6")
    assert found.colours == ("#ff0000", "#56b4e9", "#0072b2", "#f0e442"), (
        "the sixth of the palette, as the fifth is in use"
    )
    assert [c.number for c in found.matched] == [1, 2, 5] and not found.missing
    assert (found.level, found.tiles) == (3, 199) and found.same == pytest.approx((90 + 70 + 5) / 199)


def test_what_is_not_found_again_keeps_its_number_from_others() -> None:
    overlap = np.array([[90, 0, 0], [0, 0, 50], [0, 0, 45], [0, 0, 0]])
    found = numbered_as(TREE, OLD, overlap, ("a",))
    assert found.numbers == (1, 5, 6, 7) and found.names[2:] == ("cluster 6", "cluster 7") and found.missing == ()
    overlap[0, 1] = 30
    assert numbered_as(TREE, OLD, overlap, ("a",)).missing == ("cluster 2",)


def test_numbers_that_labels_cannot_hold_are_refused() -> None:
    old = OldClusters(OLD.folder, (1, 2, 255), OLD.names, OLD.colours)
    with pytest.raises(SettingsError, match="go up to 255") as caught:
        numbered_as(TREE, old, np.eye(4, 3, dtype=int), ("a",))
    assert caught.value.code == "E_MATCH"


def test_a_tile_lies_where_its_middle_lies_whatever_the_strides() -> None:
    own, other = Frame(("y",), (6,), (16.0,), (0.0,)), Frame(("y",), (2,), (40.0,), (0.0,))
    assert [index.tolist() for index in nearest_cells(own, other)] == [[0, 0, 1, 1, 1, 1]]
    assert nearest_cells(other, own)[0].tolist() == [1, 3]


@pytest.fixture(scope="module")
def matched(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """(a run, the old run that its clusters were matched to, what was printed): the old one has other numbers and names."""
    folder = tmp_path_factory.mktemp("match")
    old, out = mini.copy(folder / "old"), mini.copy(folder / "out")
    for path in (old / "slides").glob("*.ome.zarr/labels/clusters/0"):
        labels = zarr.open_array(path, mode="r+")
        labels[:] = np.array([0, 2, 1, *range(3, 256)], np.uint8)[labels[:]]  # 1 and 2 change places
    table = (old / "clusters.csv").read_text().splitlines()
    columns = len(table[0].split(",")) - 3
    rows = ["1,Stroma,#ff8800" + "," * columns, "2,Gland,#00ff00" + "," * columns]
    (old / "clusters.csv").write_text("\n".join([table[0], *rows, *table[3:]]) + "\n")
    done = CliRunner().invoke(app, ["relabel", str(out), "--match", str(old)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out, old, done.output


def test_the_same_tissue_has_the_same_number_colour_and_name(matched: tuple[Path, Path, str]) -> None:
    out, old, said = matched
    run, before = tile_engine.open_run(out), tile_engine.open_run(old)
    for slide in run.slides:
        np.testing.assert_array_equal(run.layers("clusters")[slide].values, before.layers("clusters")[slide].values)
    rows = list(csv.DictReader((out / "clusters.csv").open(encoding="utf-8")))
    assert [(r["cluster"], r["name"], r["colour"]) for r in rows][:2] == [
        ("1", "Stroma", "#ff8800"),
        ("2", "Gland", "#00ff00"),
    ]
    numbering = run.document("numbering")
    assert numbering["numbers"][:2] == [2, 1] and numbering["same"] == 1 and numbering["slides"] == run.slides
    text = said.replace("\n", "")
    assert f"match:  {old}" in text and "1  Stroma: 100% of its tiles, 100% of the old cluster's" in text
    page = run.report.read_text()
    assert "Compared with the old run" in page and "Stroma" in page and '"labels": [2, 1' in page
    assert list(run.tiles.obs["cluster"].cat.categories) == [int(r["cluster"]) for r in rows]
    assert not verify(out, full=True, cluster=NONE).findings


def test_the_way_back_leaves_the_own_numbers(matched: tuple[Path, Path, str], mini: Any, tmp_path: Path) -> None:
    out = Path(shutil.copytree(matched[0], tmp_path / "out"))
    assert resume(out, options=RunOptions(cluster=NONE, stages=("map",))).settings["match"][0] == str(matched[1]), (
        "kept"
    )
    back = tile_engine.relabel(out, match="", options=options())
    assert back.settings["match"] == [] and back.document("numbering")["run"] == ""
    assert mini.results(out) == mini.results(mini.out)


def test_runs_without_a_common_image_and_folders_without_a_run_are_refused(
    matched: tuple[Path, Path, str], tmp_path: Path
) -> None:
    out, old, _ = matched
    other = Path(shutil.copytree(old, tmp_path / "other"))
    records = json.loads((other / "slides.json").read_text())
    (other / "slides.json").write_text(
        json.dumps({slide: {**r, "native_shape": [9, 9]} for slide, r in records.items()})
    )
    for path, words in (
        (other, "no image of this run"),
        (out, "is the run itself"),
        (tmp_path, "holds no run"),
    ):
        with pytest.raises(SettingsError, match=words):
            tile_engine.relabel(out, match=path, options=options())
