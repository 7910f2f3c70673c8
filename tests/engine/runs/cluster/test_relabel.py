"""relabel: another level, names, colours and merges of a finished run, without a network; and the way back."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import resume
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline.image_documents import write_rejected
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.record import Rejection
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search.rows import gathered
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder

NONE = ClusterOptions(cluster="none")


def options(**changes: Any) -> RunOptions:
    return RunOptions(cluster=NONE, **changes)


def results(out: Path) -> dict[str, str]:
    """Hash of every file that relabel may write, but for the report, which holds times."""
    roots = ("slides", "models", "tables", "samples.zarr", "maps", "shares.csv", "clusters.csv")
    files = [p for name in roots for p in ([out / name] if (out / name).is_file() else (out / name).rglob("*"))]
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def edited(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was relabelled to four clusters: 1 is named and coloured, 4 is merged into 2; its networks were away."""
    folder = tmp_path_factory.mktemp("relabel")
    out, away = mini.copy(folder / "out"), folder / "away"
    away.mkdir()
    networks = list((out / "models").glob("*.safetensors"))
    assert len(networks) > 2
    for path in networks:
        shutil.move(path, away)
    table = folder / "classes.csv"
    table.write_text("cluster,name,colour,into\n1,Stroma,#ff8800,\n4,,,2\n")
    run = tile_engine.relabel(out, 4, table, options=options())
    assert run.status == "done"
    for path in away.iterdir():
        shutil.move(path, out / "models")
    return out


def test_labels_are_those_of_the_level_with_names_colours_and_merges(edited: Path, mini: Any) -> None:
    run, tree = tile_engine.open_run(edited), tile_engine.open_run(mini.out).document("clusters")
    assert len(tree["parents"]) > 4 and run.document("clusters") == tree
    at_level = [0]
    for number, parent in enumerate(tree["parents"], start=1):
        at_level.append(number if number <= 4 else at_level[parent])
    shown = np.array([2 if number == 4 else number for number in at_level])
    numbers = np.array([0, *tree["numbers"]])
    for slide in run.slides:
        fine = run.layers("assignment")[slide].values[0]
        np.testing.assert_array_equal(run.layers("clusters")[slide].values, shown[numbers[fine]])
        label = json.loads((edited / "slides" / f"{slide}.ome.zarr" / "labels" / "clusters" / "zarr.json").read_text())
        said = label["attributes"]["ome"]["image-label"]
        assert [p["class"] for p in said["properties"]] == ["Stroma", "cluster 2", "cluster 3", "cluster 4"]
        assert {"label-value": 1, "rgba": [255, 136, 0, 255]} in said["colors"]


def test_every_result_says_the_same(edited: Path) -> None:
    run = tile_engine.open_run(edited)
    columns = [name for name in run.shares.columns if name == "Stroma" or name.startswith("cluster ")]
    assert columns == ["Stroma", "cluster 2", "cluster 3", "cluster 4"] and not run.shares["cluster 4"].any()
    tiles = run.tiles.obs
    assert set(tiles["cluster_name"][tiles["cluster"] == 1]) == {"Stroma"}
    assert "Stroma" in set(gathered(load(edited), "tiles", []).words["label"].names)
    assert list(tiles["cluster"].cat.categories) == [1, 2, 3, 4] and not (tiles["cluster"] == 4).any()
    listed = rows(edited / "clusters.csv")
    assert [row["name"] for row in listed] == columns and listed[0]["colour"] == "#ff8800" and listed[3]["into"] == "2"
    assert [int(row["tiles"]) for row in listed] == [int((tiles["cluster"] == n).sum()) for n in range(1, 5)]
    for slide in run.slides:
        collection = json.loads((edited / "maps" / f"{slide}.geojson").read_text())
        names = {f["properties"]["classification"]["name"] for f in collection["features"]}
        labels = run.layers("clusters")[slide].values
        assert names == {columns[n - 1] for n in np.unique(labels[labels > 0])}
    page = run.report.read_text()
    assert "Stroma" in page and '"shown": 4' in page and "#ff8800" in page
    assert run.settings["level"] == 4 and run.settings["classes"] == [[1, "Stroma", "#ff8800", 0], [4, "", "", 2]]


def test_verify_is_clean(edited: Path) -> None:
    verdict = verify(edited, full=True, cluster=NONE)
    assert verdict.files and not verdict.findings and not verdict.leftovers


def test_its_own_list_read_again_changes_nothing(edited: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(edited, tmp_path / "out"))
    before = results(out)
    shutil.copy2(out / "clusters.csv", tmp_path / "list.csv")
    told = list[Event]()
    tile_engine.relabel(out, classes=tmp_path / "list.csv", options=options(report=told.append))
    assert not [event for event in told if "replaces" in event.text]
    assert len(tile_engine.open_run(out).settings["classes"]) == 4 and results(out) == before


def test_the_same_command_keeps_the_choice_and_says_so_and_the_way_back_leaves_the_bytes_of_before(
    edited: Path, mini: Any, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(edited, tmp_path / "out"))
    before, told = results(out), list[Event]()
    tile_engine.cluster(mini.slides, out, options=options(report=told.append), **mini.settings)
    assert results(out) == before
    notes = [event.text for event in told if "--level and --classes stay" in event.text]
    assert len(notes) == 1 and "--redo" in notes[0]
    run = tile_engine.relabel(out, 0, "", options=options(report=told.append))
    assert (run.settings["level"], run.settings["classes"]) == (0, []) and results(out) == results(mini.out)
    (lost,) = [event for event in told if "--classes replaces what this run has so far" in event.text]
    assert lost.kind == "warning" and "cluster 1: name 'Stroma' is dropped" in lost.text
    assert "cluster 4: merge into 2 is dropped" in lost.text


def test_redo_returns_to_the_recommendation(edited: Path, mini: Any, tmp_path: Path) -> None:
    out = Path(shutil.copytree(edited, tmp_path / "out"))
    run = tile_engine.cluster(mini.slides, out, options=options(redo=True), **mini.settings)
    assert (run.settings["level"], run.settings["classes"]) == (0, []) and results(out) == results(mini.out)


def test_a_stage_keeps_the_choice_and_its_redo_does_not(edited: Path, mini: Any, tmp_path: Path) -> None:
    """Names would otherwise go to clusters of another tree, which have the same numbers by chance."""
    out = Path(shutil.copytree(edited, tmp_path / "out"))
    assert resume(out, options=options(stages=("map",))).settings["level"] == 4
    assert resume(out, options=options(stages=("train",), redo=True), seeds=1).settings["classes"] == []


def test_slides_that_the_run_rejected_before_do_not_fail_its_relabelling(edited: Path, tmp_path: Path) -> None:
    from tile_engine.cli.app import app

    out = Path(shutil.copytree(edited, tmp_path / "out"))
    write_rejected(Folder(out), {"typo-1": Rejection("typo.svs", "E_MISSING", "there is no such file", step="open")})
    done = CliRunner().invoke(app, ["relabel", str(out), "--k", "3"], catch_exceptions=False)
    assert done.exit_code == 0 and "were rejected" not in done.output
    assert "goes on where it stopped" not in done.output and "done again: write labels, table" in done.output
    assert set(tile_engine.open_run(out).rejected) == {"typo-1"} and tile_engine.open_run(out).exit_status == 3
    again = tile_engine.relabel(out, 4, options=options())
    assert set(again.rejected) == {"typo-1"} and again.exit_status == 0, "as the command ends"


def test_a_file_that_is_refused_replaces_nothing(edited: Path, tmp_path: Path) -> None:
    told = list[Event]()
    (tmp_path / "classes.csv").write_text("cluster,name\n77,Fat\n")
    with pytest.raises(SettingsError, match="cluster 77"):
        tile_engine.relabel(edited, classes=tmp_path / "classes.csv", options=options(report=told.append))
    assert not [event for event in told if "replaces" in event.text]
    with pytest.raises(SettingsError, match=r"nosuch.csv'\)?: there is no such file"):
        tile_engine.relabel(edited, classes=tmp_path / "nosuch.csv", options=options())


@pytest.mark.parametrize(
    ("level", "table", "code"), [(99, None, "E_LEVEL"), (None, "cluster,into\n1,98\n", "E_CLASSES")]
)
def test_what_the_tree_does_not_have_is_refused_and_nothing_is_touched(
    edited: Path, tmp_path: Path, level: int | None, table: str | None, code: str
) -> None:
    if table:
        (tmp_path / "classes.csv").write_text(table)
    before = {p: p.stat().st_mtime_ns for p in edited.rglob("*") if p.is_file() and p.name != "log.txt"}
    with pytest.raises(SettingsError) as caught:
        tile_engine.relabel(edited, level, tmp_path / "classes.csv" if table else None, options=options())
    assert caught.value.code == code and caught.value.exit_status == 2
    assert {p: p.stat().st_mtime_ns for p in edited.rglob("*") if p.is_file() and p.name != "log.txt"} == before


def test_a_run_without_clusters_is_refused(finished: Callable[[str, str], Any]) -> None:
    run = finished("embed", "slide-tiles")
    with pytest.raises(SettingsError, match="nothing to relabel") as caught:
        tile_engine.relabel(run.out, 3, options=options())
    assert caught.value.code == "E_NO_CLUSTERS"


def test_the_command_takes_auto_and_refuses_what_is_no_level(edited: Path, tmp_path: Path) -> None:
    from tile_engine.cli.app import app

    out = Path(shutil.copytree(edited, tmp_path / "out"))
    words = ["relabel", str(out), "--k"]
    wrong = CliRunner().invoke(app, [*words, "many"])
    assert wrong.exit_code == 2 and "neither a number of clusters nor auto" in wrong.output
    done = CliRunner().invoke(app, [*words, "auto", "-q"], catch_exceptions=False)
    assert done.exit_code == 0
    run = tile_engine.open_run(out)
    assert f"clusters: {len(rows(out / 'clusters.csv'))}" in done.output and "Stroma" in done.output
    assert run.settings["level"] == 0 and run.settings["classes"], "names stay"
