"""Clusters that take the numbers, colours and names of an old run: by tiles that both runs have, or not at all."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.cli.app import app
from tile_engine.engine.api.running import resume
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs.cluster.checks import check_settings, check_shown
from tile_engine.engine.runs.cluster.comparison import compare
from tile_engine.engine.runs.cluster.documents import Clusters
from tile_engine.engine.runs.cluster.follow import renumbered
from tile_engine.engine.runs.cluster.match import SharedSlides, is_matched, nearest_cells, numbered_as
from tile_engine.engine.runs.cluster.numbering import Numbering
from tile_engine.engine.runs.cluster.old_clusters import OldClusters, read_old_clusters
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.runs.cluster.shown import shown_of
from tile_engine.engine.runtime import start
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.manifest import as_begun
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
SHARED = SharedSlides(("a",))


CLASSES = [[1, "Stroma", "#ff8800", 0], [2, "Gland", "#00ff00", 0]]


def change(path: Path, how: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(how(json.loads(path.read_text()))))


def options() -> RunOptions:
    return RunOptions(cluster=NONE)


def test_numbers_names_and_colours_are_the_old_ones_and_others_are_unused() -> None:
    overlap = np.array([[0, 90, 10], [0, 0, 40], [5, 20, 1], [0, 3, 30]])
    found = numbered_as(TREE, OLD, overlap, SHARED)
    assert found.numbers == (2, 5, 1, 6) and found.names == ("cluster 2", "fat", "gland", "cluster 6")
    assert found.colours == ("#ff0000", "#56b4e9", "#0072b2", "#f0e442"), (
        "the sixth of the palette, as the fifth is in use"
    )
    assert found.matched == (1, 2, 5) and not found.missing and found.level == 3


def test_what_is_said_of_the_old_run_is_of_the_level_that_is_shown_with_its_merges() -> None:
    overlap = np.array([[0, 90, 10], [0, 0, 40], [5, 20, 1], [0, 3, 30]])
    numbering = numbered_as(TREE, OLD, overlap, SHARED)

    def shares(**settings: Any) -> tuple[int, float | None, dict[int, tuple[Any, Any]]]:
        found = compare(TREE, numbering, shown_of(TREE, numbering, ClusterSettings(**settings)))
        assert found.tiles == 199
        return found.level, found.same, {c.number: (c.share, c.other_share) for c in found.clusters}

    def of(common: int, own: int, other: int) -> tuple[float, float]:
        return round(common / own, 4), round(common / other, 4)

    assert shares() == (
        3,
        round((90 + 70 + 5) / 199, 4),
        {1: of(5, 26, 5), 2: of(90, 100, 113), 5: of(70, 73, 81)},
    )
    assert shares(level=2) == (2, round((110 + 70) / 199, 4), {2: of(110, 126, 113), 5: of(70, 73, 81)})
    assert shares(level=4)[2] == {1: of(5, 26, 5), 2: of(90, 100, 113), 5: of(40, 40, 81), 6: (None, None)}
    merged = shares(classes=((1, "", "", 2),))
    assert merged == (3, round((110 + 70) / 199, 4), {2: of(110, 126, 113), 5: of(70, 73, 81)})


def test_what_is_not_found_again_keeps_its_number_from_others() -> None:
    overlap = np.array([[90, 0, 0], [0, 0, 50], [0, 0, 45], [0, 0, 0]])
    found = numbered_as(TREE, OLD, overlap, SHARED)
    assert found.numbers == (1, 5, 6, 7) and found.names[2:] == ("cluster 6", "cluster 7")
    assert (found.missing, found.unseen) == ((), ("cluster 2",)), "none of its tiles is on the common images"
    overlap[0, 1] = 30
    found = numbered_as(TREE, OLD, overlap, SHARED)
    assert (found.missing, found.unseen) == (("cluster 2",), ())


def test_names_colours_and_merges_of_the_user_stay_with_their_tissue() -> None:
    before = Numbering.own(TREE)
    after = numbered_as(TREE, OLD, np.array([[0, 90, 10], [0, 0, 40], [5, 20, 1], [0, 3, 30]]), SHARED)
    classes = ((1, "Tumour", "#0072b2", 0), (2, "cluster 2", "#e69f00", 0), (3, "", "", 1), (4, "", "#123456", 0))
    moved = renumbered(classes, before, after)
    assert moved == ((2, "Tumour", "", 0), (1, "", "", 2), (6, "", "#123456", 0)), (
        "what was no change of theirs is not kept"
    )
    assert renumbered(moved, after, before) == ((1, "Tumour", "", 0), (3, "", "", 1), (4, "", "#123456", 0))
    names = shown_of(TREE, after, ClusterSettings(classes=moved)).names
    assert names == ("gland", "Tumour", "fat")


def test_numbers_that_labels_cannot_hold_are_refused() -> None:
    old = OldClusters(OLD.folder, (1, 2, 255), OLD.names, OLD.colours)
    with pytest.raises(SettingsError, match="go up to 255") as caught:
        numbered_as(TREE, old, np.eye(4, 3, dtype=int), SHARED)
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
    for path in (old / "slides").glob("*.ome.zarr/labels/clusters/[0-9]"):
        labels = zarr.open_array(path, mode="r+")
        labels[:] = np.array([0, 2, 1, *range(3, 256)], np.uint8)[labels[:]]  # 1 and 2 change places
    change(old / "models" / "numbering.json", lambda n: n | {"numbers": [2, 1, *n["numbers"][2:]]})
    change(old / "run.json", lambda r: r | {"settings": r["settings"] | {"classes": CLASSES}})
    (old / "clusters.csv").write_text("sorted and edited by someone")
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
    assert run.document("numbering")["numbers"][:2] == [2, 1]
    assert run.document("comparison")["same"] == 1 and run.document("comparison")["slides"] == run.slides
    text = said.replace("\n", "")
    assert f"match:  {old}" in text and "1  Stroma: 100% of its tiles, 100% of the old cluster's" in text
    page = run.report.read_text()
    assert "Compared with the old run" in page and "Stroma" in page and '"labels": [2, 1' in page
    assert list(run.tiles.obs["cluster"].cat.categories) == [int(r["cluster"]) for r in rows]
    assert not verify(out, full=True, cluster=NONE).findings


@pytest.mark.nightly
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
    for field, value in (("native_shape", [9, 9]), ("fingerprint", f"9-9-{'0' * 64}")):
        shutil.copy2(old / "slides.json", other / "slides.json")
        change(other / "slides.json", lambda records, f=field, v=value: {s: r | {f: v} for s, r in records.items()})
        with pytest.raises(
            SettingsError, match=r"no image of this run .*have the same name, but another size or content"
        ):
            tile_engine.relabel(out, match=other, options=options())
    for path, words in (
        (out, "is the run itself"),
        (tmp_path, r"holds no run.*[^.]\.$"),
        (tmp_path / "gone", "there is no such folder"),
    ):
        with pytest.raises(SettingsError, match=words):
            tile_engine.relabel(out, match=path, options=options())


def test_a_damaged_old_run_is_refused_with_a_code(matched: tuple[Path, Path, str], tmp_path: Path) -> None:
    old = tmp_path / "old"
    for name, how in (
        ("models/numbering.json", lambda n: n | {"colours": ["red"] * len(n["colours"])}),
        ("models/numbering.json", lambda n: n | {"numbers": n["numbers"][:-1]}),
        ("models/clusters.json", lambda t: t | {"tiles": t["tiles"][:-1]}),
        ("models/clusters.json", lambda t: {}),
        ("run.json", lambda r: r | {"settings": {}}),
        ("run.json", lambda r: r | {"settings": r["settings"] | {"classes": [[99, "x", "", 0]]}}),
    ):
        for part in ("run.json", "models/numbering.json", "models/clusters.json"):
            (old / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(matched[1] / part, old / part)
        assert read_old_clusters(Folder(old)).names[:2] == ("Stroma", "Gland")
        change(old / name, how)
        with pytest.raises(SettingsError, match="cannot be read") as caught:
            read_old_clusters(Folder(old))
        assert caught.value.code == "E_MATCH"


def test_numbers_are_checked_before_anything_is_removed(
    matched: tuple[Path, Path, str], mini: Any, tmp_path: Path
) -> None:
    out, table = Path(shutil.copytree(matched[0], tmp_path / "out")), tmp_path / "classes.csv"
    table.write_text("cluster,name\n250,Fat\n")
    before = mini.results(out)
    with pytest.raises(SettingsError, match="names cluster 250") as caught:
        tile_engine.relabel(out, match="", classes=table, options=options())
    assert caught.value.code == "E_CLASSES" and mini.results(out) == before


def test_a_matched_run_does_without_the_old_one(matched: tuple[Path, Path, str], mini: Any, tmp_path: Path) -> None:
    out, gone = Path(shutil.copytree(matched[0], tmp_path / "out")), str(tmp_path / "gone")
    change(
        out / "run.json",
        lambda run: run | {"settings": run["settings"] | {"match": [gone, run["settings"]["match"][1]]}},
    )
    recorded = load(out)
    given = as_begun(ClusterSettings(match=gone), Folder(out))
    assert given.match == recorded.settings.match and is_matched(recorded)
    check_settings(recorded)
    check_shown(recorded, ["labels"])
    with pytest.raises(SettingsError, match="there is no such folder"):
        check_shown(recorded, ["match", "labels"])


def test_relabel_moves_the_kept_names_with_their_tissue(
    matched: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked, told = tmp_path / "out", dict[str, Any](), list[Event]()
    shutil.copytree(matched[0], out, ignore=shutil.ignore_patterns("slides", "tables", "samples.zarr", "index"))
    classes = [[1, "Stroma", "#111111", 0], [2, "Lumen", "", 0], [3, "", "", 1]]
    change(out / "run.json", lambda run: run | {"settings": run["settings"] | {"classes": classes}})
    monkeypatch.setattr(start, "resume", lambda out, options, **settings: asked.update(settings))
    said = RunOptions(cluster=NONE, report=told.append)
    start.relabel(out, options=said, level=None, classes=None, match="")
    moved = ((2, "", "#111111", 0), (1, "Lumen", "", 0), (3, "", "", 2))
    assert asked["classes"] == moved and "stay with their tissue" in told[0].text
    for choice in ({"classes": None, "match": None, "level": 3}, {"classes": (), "match": "", "level": None}):
        start.relabel(out, options=said, **choice)
        assert asked["classes"] == (classes if choice["classes"] is None else ())
    assert [event.kind for event in told] == ["note", "warning"] and "name 'Lumen' is dropped" in told[1].text
