"""Searching the tiles of a clustering run: the nearest codes, other slides first, whatever is kept or stale or in use."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tile_engine
from tile_engine.cli.app import app
from tile_engine.engine.maintenance.verify import verify
from tile_engine.engine.runtime.load import load
from tile_engine.engine.search import gallery as galleries
from tile_engine.engine.search import rows
from tile_engine.engine.search.add import add
from tile_engine.engine.search.query import understood
from tile_engine.engine.search.search import file_name, picture
from tile_engine.engine.search.thumbnails import case_panel
from tile_engine.errors import LockedError, NoInputError, SettingsError
from tile_engine.stores.lock import Lock


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nothing that another test opened is found again."""
    galleries._gallery.cache_clear()


@pytest.fixture
def out(mini: Any, tmp_path: Path) -> Path:
    return mini.copy(tmp_path / "out")


def table(out: Path) -> Any:
    return tile_engine.open_run(out).tiles


def brute(out: Path, row: int, k: int, *, same: bool = False) -> list[tuple[str, float]]:
    """(id, distance) of the nearest tiles by a plain loop over the table, other slides alone unless `same`."""
    tiles = table(out)
    codes = np.asarray(tiles.X, np.float32).astype(np.float64)
    slide = tiles.obs["slide"].astype(str).to_numpy()
    away = np.sqrt(np.square(codes - codes[row]).sum(1))
    order = [r for r in np.argsort(away, kind="stable") if r != row and (same or slide[r] != slide[row])]
    return [(tiles.obs.index[r], float(away[r])) for r in order[:k]]


def place_of(tiles: Any, row: int) -> tuple[float, float]:
    return float(tiles.obs["y_um"].iloc[row]), float(tiles.obs["x_um"].iloc[row])


@pytest.mark.parametrize("same", [False, True])
def test_the_nearest_tiles_are_those_of_a_plain_loop_over_the_table(out: Path, same: bool) -> None:
    tiles = table(out)
    for row in (0, len(tiles) // 2, len(tiles) - 1):
        slide = tiles.obs["slide"].iloc[row]
        hits = tile_engine.search(out, slide, k=7, at=place_of(tiles, row), same_subject=same)
        assert [(h.id, h.distance) for h in hits.rows] == brute(out, row, 7, same=same)
        assert hits.query.id == tiles.obs.index[row] and [h.rank for h in hits.rows] == list(range(1, 8))
        of_slide = int((tiles.obs["slide"] == slide).sum())
        assert (hits.cases, hits.left_out) == (len(tiles), 0 if same else of_slide - 1)


def test_a_hit_says_what_the_table_says_of_its_tile(out: Path) -> None:
    tiles = table(out)
    hits = tile_engine.open_run(out).search(tiles.obs["slide"].iloc[3], k=5, at=place_of(tiles, 3))
    for hit in hits.rows:
        row = tiles.obs.loc[hit.id]
        assert (hit.slide, hit.y_um, hit.x_um) == (row["slide"], row["y_um"], row["x_um"])
        assert hit.label == f"cluster {row['cluster']}" and hit.name == f"{hit.slide[0]}.tif"
    frame = hits.frame
    assert list(frame["id"]) == [h.id for h in hits.rows] and "z_um" not in frame and "y_um" in frame
    told = json.loads(hits.json())
    assert told["rows"][0]["id"] == hits.rows[0].id and told["query"]["slide"] == tiles.obs["slide"].iloc[3]


def test_a_tile_is_found_by_its_id_and_a_slide_by_name_or_path(out: Path, mini: Any) -> None:
    tiles = table(out)
    at = place_of(tiles, 2)
    wanted = tile_engine.search(out, tiles.obs["slide"].iloc[2], at=at)
    for query, place in ((tiles.obs.index[2], None), ("a.tif", at), (mini.slides / "a.tif", at)):
        found = tile_engine.search(out, query, at=place)
        assert (found.query, found.rows) == (wanted.query, wanted.rows)


def test_fewer_cases_than_asked_for_are_all_of_them(out: Path) -> None:
    tiles = table(out)
    hits = tile_engine.search(out, tiles.obs.index[0], k=10**4)
    assert len(hits.rows) == int((tiles.obs["slide"] != tiles.obs["slide"].iloc[0]).sum())


@pytest.mark.nightly
def test_slides_of_the_same_subject_are_left_out_together(mini: Any, tmp_path: Path) -> None:
    lists = tmp_path / "slides.csv"
    lists.write_text(
        "path,subject\n" + "".join(f"{mini.slides / n}.tif,{g}\n" for n, g in zip("abc", "ppq", strict=True))
    )
    run = tile_engine.cluster(lists, tmp_path / "out", **mini.settings)
    a, _, c = run.slides
    tiles = run.tiles
    hits = run.search(tiles.obs.index[tiles.obs["slide"] == a][0], k=10**4)
    assert {h.slide for h in hits.rows} == {c} and {h.subject for h in hits.rows} == {"q"}


def test_a_picture_of_a_tile_finds_that_tile(out: Path, tmp_path: Path) -> None:
    """The same pixels give the same code, up to the rounding of what is stored."""
    from PIL import Image

    run = tile_engine.open_run(out)
    tiles = run.tiles
    row = next(
        r for r in range(len(tiles)) if 100 < tiles.obs["y"].iloc[r] < 200 and 100 < tiles.obs["x"].iloc[r] < 200
    )
    y, x = (int(tiles.obs[n].iloc[row]) - 8 for n in "yx")
    pixels = run.image(tiles.obs["slide"].iloc[row]).to_numpy()[:, y : y + 32, x : x + 32]
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(tmp_path / "patch.png")
    hits = tile_engine.search(out, tmp_path / "patch.png", k=3)
    assert hits.rows[0].id == tiles.obs.index[row] and hits.rows[0].distance == 0
    assert hits.left_out == 0 and hits.query.name == "patch.png" and hits.query.id == ""
    assert hits.notes[-1].startswith("patch.png: it states no size of its pixels, and is taken to have the run's")
    stated = tile_engine.search(out, tmp_path / "patch.png", k=3, mpp=load(out).spacing)
    assert stated.rows == hits.rows and not stated.notes
    with pytest.raises(SettingsError, match="--mpp is of a picture that is not in the run"):
        tile_engine.search(out, tiles.obs.index[row], mpp=0.5)


def test_a_slide_of_the_run_without_tiles_is_no_unknown_query(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = galleries.open_gallery(out, save=False)
    monkeypatch.setattr(galleries.Gallery, "where", lambda self, column, text: [])
    with pytest.raises(SettingsError, match="is an image of the run without a case to search with: no tissue"):
        understood(gallery, "a.tif", (1.0, 1.0))


def test_a_place_on_a_slide_that_is_not_in_the_run_is_encoded(out: Path, mini: Any, tmp_path: Path) -> None:
    copy = tmp_path / "other.tif"
    copy.write_bytes((mini.slides / "a.tif").read_bytes())
    tiles = table(out)
    row = int(
        np.flatnonzero(tiles.obs["slide"].str.startswith("a-") & (tiles.obs["y"] > 64) & (tiles.obs["x"] > 64))[0]
    )
    hits = tile_engine.search(out, copy, k=1, at=place_of(tiles, row))
    assert hits.rows[0].id == tiles.obs.index[row]
    with pytest.raises(SettingsError, match="give the patch's position"):
        tile_engine.search(out, copy)
    for at, says in (((64.0,), "needs 2 numbers"), ((1.0, 2.0, 3.0), "needs 2 numbers"), ((np.nan, 1.0), "got nan,1")):
        with pytest.raises(SettingsError, match=says) as refused:
            tile_engine.search(out, copy, at=at)
        assert refused.value.code == "E_QUERY"


@pytest.mark.parametrize(
    ("query", "at", "says"),
    [
        ("nothing.tif", None, "neither a case of the run"),
        ("a.tif", None, "give the tile's position"),
        ("a.tif", (1e6, 1e6), "the centre of the nearest tile"),
        ("a.tif", (1.0, 2.0, 3.0), "needs 2 numbers"),
        ("a.tif", (np.nan, np.nan), "got nan,nan"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_do(out: Path, query: str, at: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        tile_engine.search(out, query, at=at)
    assert refused.value.code == "E_QUERY"


def test_a_file_that_is_no_picture_is_no_query(out: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.tif").write_text("dear colleague")
    with pytest.raises(NoInputError, match=r"letter\.tif"):
        tile_engine.search(out, tmp_path / "letter.tif")


def test_a_picture_smaller_than_a_patch_is_refused(out: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    with pytest.raises(SettingsError, match="20 x 20"):
        tile_engine.search(out, tmp_path / "small.png")


def test_without_a_table_there_is_nothing_to_search(out: Path) -> None:
    (out / "tables" / "tiles.zarr" / "zarr.json").unlink()
    with pytest.raises(SettingsError, match="no table to search yet"):
        tile_engine.search(out, "a.tif", at=(1, 1))


# what is kept


def test_an_index_is_kept_and_used_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = table(out).obs.index[0]
    first = tile_engine.search(out, query)
    assert {p.name for p in (out / "index").iterdir()} == {"index.json", "vectors.npy", "columns.npz"}
    galleries._gallery.cache_clear()
    monkeypatch.setattr(rows, "read_table", None)  # it is not read again
    assert tile_engine.search(out, query) == first
    assert not (out / "lock.json").exists()


def test_a_stale_index_is_made_anew_and_never_used(out: Path) -> None:
    """The table changes, its fingerprints do not: an index of it would still say what was there before."""
    from tile_engine.stores.tables import write_table

    tiles = table(out)
    query = tiles.obs.index[0]
    before = tile_engine.search(out, query)
    tiles.X = np.asarray(tiles.X)[::-1].copy()
    write_table(out / "tables" / "tiles.zarr", tiles)
    after = tile_engine.search(out, query)
    assert after.rows != before.rows and [(h.id, h.distance) for h in after.rows] == brute(out, 0, 10)
    galleries._gallery.cache_clear()
    assert tile_engine.search(out, query) == after


@pytest.mark.parametrize("name", ["index.json", "vectors.npy", "columns.npz"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_an_index_that_is_harmed_is_made_anew(out: Path, name: str, harm: str) -> None:
    query = table(out).obs.index[0]
    first = tile_engine.search(out, query)
    galleries._gallery.cache_clear()
    path = out / "index" / name
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-7])
    assert tile_engine.search(out, query).rows == first.rows


def test_an_index_that_was_left_half_written_is_made_anew(out: Path) -> None:
    query = table(out).obs.index[0]
    first = tile_engine.search(out, query)
    galleries._gallery.cache_clear()
    path = out / "index" / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "incomplete"}))
    (out / "index" / "vectors.npy").write_bytes(b"half")
    again = tile_engine.search(out, query)
    assert again == first and json.loads(path.read_text())["status"] == "complete"


def test_files_of_somebody_else_stay_and_the_index_stays_in_memory(out: Path) -> None:
    (out / "index").mkdir()
    (out / "index" / "vectors.npy").write_text("mine")
    hits = tile_engine.search(out, table(out).obs.index[0])
    assert len(hits.rows) == 10 and "could not be saved" in hits.notes[0]
    assert [p.name for p in (out / "index").iterdir()] == ["vectors.npy"]
    assert (out / "index" / "vectors.npy").read_text() == "mine"


def test_a_folder_that_is_in_use_is_searched_in_memory(out: Path) -> None:
    query = table(out).obs.index[0]
    with Lock(out):
        hits = tile_engine.search(out, query)
        assert not (out / "index").exists() and "another run owns" in hits.notes[0]
    galleries._gallery.cache_clear()
    assert tile_engine.search(out, query).rows == hits.rows and (out / "index" / "index.json").exists()


def test_several_searches_at_once_of_a_folder_that_cannot_be_written(out: Path, mini: Any) -> None:
    """Each makes the index for itself; nothing is left behind."""
    query = str(table(out).obs.index[0])
    wanted = [(h.id, h.distance) for h in tile_engine.search(mini.copy(out.with_name("other")), query).rows]
    before = set(out.rglob("*"))
    command = [*unprivileged(out), *mini.command("search", out, "--query", query, "--json")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for run in runs:
        said, problems = run.communicate(timeout=300)
        assert run.returncode == 0, problems
        told = json.loads(said)
        assert [(r["id"], r["distance"]) for r in told["rows"]] == wanted
        assert told["picture"] is None and len(told["notes"]) == 2
    assert set(out.rglob("*")) == before


def unprivileged(out: Path) -> list[str]:
    """What runs a command that cannot write to a folder: root can, unless it gives its rights away."""
    for folder in (out, *(p for p in out.rglob("*") if p.is_dir())):
        folder.chmod(0o555)
    if os.geteuid():
        return []
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--securebits=+noroot"]


def test_searches_at_once_of_a_folder_that_can_be_written_all_answer(out: Path, mini: Any) -> None:
    query = str(table(out).obs.index[0])
    command = mini.command("search", out, "--query", query, "--json", "--picture", "none")
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [json.loads(run.communicate(timeout=300)[0])["rows"] for run in runs]
    assert answers[0] == answers[1] == answers[2]
    assert json.loads((out / "index" / "index.json").read_text())["status"] == "complete"
    assert not (out / "lock.json").exists()


def test_verify_knows_the_index_and_repair_mends_it(out: Path, mini: Any) -> None:
    query = str(table(out).obs.index[0])
    wanted = tile_engine.search(out, query)
    assert verify(out, full=True).findings == []
    path = out / "index" / "vectors.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert [(f.kind, f.path) for f in verify(out, full=True).findings] == [("changed", "index/vectors.npy")]
    assert mini.cli("repair", out, "--cluster", "none").returncode == 0
    assert verify(out, full=True).findings == []
    galleries._gallery.cache_clear()
    assert tile_engine.search(out, query) == wanted


@pytest.mark.nightly
def test_a_table_that_is_made_anew_takes_its_index_with_it(out: Path, mini: Any) -> None:
    tile_engine.search(out, table(out).obs.index[0])
    assert mini.cli("map", out, "--umap", "--redo", "--cluster", "none").returncode == 0
    assert not (out / "index").exists()


def test_tiles_cannot_be_added_yet_and_it_is_said(out: Path, mini: Any) -> None:
    with pytest.raises(SettingsError, match="only volumes can be added"):
        add(out, mini.slides)


# what a person sees


def test_the_picture_shows_the_query_and_each_neighbour(out: Path) -> None:
    from PIL import Image

    hits = tile_engine.search(out, table(out).obs.index[5], k=4)
    path = picture(hits)
    assert path == out / "searches" / f"{file_name(hits)}.png" and path.stem == hits.query.id.replace(":", "-")
    with Image.open(path) as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_a_picture_replaces_only_pictures_of_searches(out: Path, tmp_path: Path) -> None:
    (own := tmp_path / "photo.png").write_bytes(b"somebody's")
    hits = tile_engine.search(out, table(out).obs.index[5], k=1)
    for path in (own, str(own), out / "run.json"):
        with pytest.raises(SettingsError, match="is there already") as refused:
            picture(hits, path)
        assert refused.value.code == "E_EXISTS"
    assert own.read_bytes() == b"somebody's"
    assert picture(hits, tmp_path / "new.png").is_file()
    assert picture(hits) == picture(hits) == picture(hits, picture(hits))


def test_a_picture_that_would_replace_a_file_is_refused_before_any_case_is_added(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("cases were added")

    monkeypatch.setattr("tile_engine.engine.search.add.add", never)
    (own := tmp_path / "photo.png").write_bytes(b"somebody's")
    command = ["search", str(out), "--add", str(own), "--query", "x", "--picture", str(own)]
    done = CliRunner().invoke(app, command, standalone_mode=False)
    assert isinstance(done.exception, SettingsError) and done.exception.code == "E_EXISTS"


def test_the_picture_of_a_new_file_does_not_bear_its_name(out: Path, mini: Any, tmp_path: Path) -> None:
    copy = tmp_path / "Jane Doe.tif"
    copy.write_bytes((mini.slides / "a.tif").read_bytes())
    hits = tile_engine.search(out, copy, at=(60.0, 60.0))
    assert file_name(hits).startswith("new-") and "Doe" not in file_name(hits)
    assert "Doe" not in str(case_panel(load(out), hits.query))


def test_the_command_prints_a_table_and_where_the_picture_is(out: Path, mini: Any) -> None:
    tiles = table(out)
    at = ",".join(f"{v:g}" for v in place_of(tiles, 1))
    done = mini.cli("search", out, "--query", "a.tif", "--at", at, "-k", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"nearest to {tiles.obs.index[1]} at ") and lines[1].split()[:2] == ["distance", "label"]
    assert [line.split()[0] for line in lines[2:5]] == ["1", "2", "3"]
    assert Path(lines[5].removeprefix("picture: ")).exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("--query", "none.tif"), 2),
        (("--query", "a.tif", "--at", "x"), 2),
        (("--query", "a.tif", "--at", "nan,nan"), 2),
        (("--query", "a.tif", "-k", "0"), 2),
    ],
)
def test_the_command_ends_as_others_do(mini: Any, arguments: tuple[str, ...], status: int) -> None:
    done = mini.cli("search", mini.out, *arguments)
    assert done.returncode == status and done.stderr.startswith("error [E_")


def test_a_lock_of_another_is_not_taken_by_adding(out: Path) -> None:
    with Lock(out), pytest.raises((LockedError, SettingsError)):
        add(out, "nothing")


def test_results_in_an_object_store_are_searched_as_on_a_disk(out: Path, lab: Any) -> None:
    from tile_engine.stores.remote import absolute

    query = table(out).obs.index[0]
    wanted = tile_engine.search(out, query)
    there = absolute(f"{lab.url}/out")
    for path in out.rglob("*"):
        if path.is_file() and "index" not in path.parts:
            (there / path.relative_to(out).as_posix()).write_bytes(path.read_bytes())
    for _ in range(2):  # made, and used again
        galleries._gallery.cache_clear()
        hits = tile_engine.search(f"{lab.url}/out", query)
        assert (hits.query, hits.rows, hits.notes) == (wanted.query, wanted.rows, ())
        assert (there / "index" / "index.json").is_file()
    assert picture(hits).read_bytes().startswith(b"\x89PNG")
