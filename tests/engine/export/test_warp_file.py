"""warp_file: points, outlines and labels of a finished run, both ways, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tile_engine.cli.warp import warp
from tile_engine.engine.export.geojson_points import moved_geojson
from tile_engine.engine.export.warp_file import warp_file
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
from tile_engine.stores.frame import Array, Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.warps.stored import write_warp
from tile_engine.stores.warps.warp import Warp

pytestmark = pytest.mark.xdist_group("register-sections")


@pytest.fixture(scope="module")
def out(finished: Callable[[str, str], Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run whose section PanCK of block one lies 5 pixels lower and 3 to the right."""
    copy: Path = finished("register", "sections").copy(tmp_path_factory.mktemp("warp") / "out")
    folder = Folder(copy, "sections")
    image = next(one for one in folder.read("slides") if one.startswith("one"))
    write_warp(folder.transform(image, "PanCK"), Warp.of_affine([[1, 0, 40.0], [0, 1, 24.0]]), name="moved")
    write_warp(folder.transform(image, "Ki67"), Warp.of_affine(np.eye(2, 3)), name="no", accepted=False)
    return copy


def test_points_move_and_come_back_with_their_other_columns(out: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(",X,Y,name\n7,20,30,a\n8,21.5,31,b\n")
    done = warp_file(out, tmp_path / "p.csv", block="one", stain="PanCK")
    assert (done.count, done.lost, Path(done.path).name) == (2, 0, "p.on-reference.csv")
    assert Path(done.path).read_text() == ",X,Y,name\n7,17.0000,25.0000,a\n8,18.5000,26.0000,b\n"
    back = warp_file(out, done.path, block="one", stain="PanCK", inverse=True, to=tmp_path / "back.csv")
    assert Path(back.path).read_text().startswith(",X,Y,name\n7,20.0000,30.0000,a\n")


def test_outlines_move_with_their_properties(out: Path, tmp_path: Path) -> None:
    ring = [[10, 10], [30, 10], [30, 40], [10, 10]]
    feature = {"type": "Feature", "properties": {"name": "x"}, "bbox": [10, 10, 30, 40]}
    feature |= {
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "nucleusGeometry": {"type": "Point", "coordinates": [12, 13]},
    }
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    done = warp_file(out, tmp_path / "a.geojson", block="one", stain="PanCK", to=tmp_path / "b.geojson")
    (moved,) = json.loads(Path(done.path).read_text())["features"]
    assert moved["properties"] == {"name": "x"} and "bbox" not in moved
    assert moved["geometry"]["coordinates"] == [[[7, 5], [27, 5], [27, 35], [7, 5]]]
    assert moved["nucleusGeometry"]["coordinates"] == [9, 8]


def scaled(out: Path) -> None:
    """Section PanCK of block two at half the scale of the reference."""
    folder = Folder(out, "sections")
    image = next(one for one in folder.read("slides") if one.startswith("two"))
    write_warp(folder.transform(image, "PanCK"), Warp.of_affine([[0.5, 0, 0], [0, 0.5, 0]]), name="half")


def test_whole_numbers_are_centres_of_pixels_in_points_and_corners_in_outlines(out: Path, tmp_path: Path) -> None:
    scaled(out)
    (tmp_path / "p.csv").write_text("X,Y\n10,0\n")
    (tmp_path / "a.geojson").write_text('{"type": "LineString", "coordinates": [[0, 0], [10, 20]]}')
    done = warp_file(out, tmp_path / "p.csv", block="two", stain="PanCK")
    assert Path(done.path).read_text() == "X,Y\n20.5000,0.5000\n"  # the centre at 10.5 goes to 21
    done = warp_file(out, tmp_path / "a.geojson", block="two", stain="PanCK")
    assert json.loads(Path(done.path).read_text())["coordinates"] == [[0, 0], [20, 40]]


@pytest.mark.parametrize(("name", "sign"), [("p.tsv", "\t"), ("p.csv", ";")])
def test_a_table_keeps_what_separates_its_cells(out: Path, tmp_path: Path, name: str, sign: str) -> None:
    (tmp_path / name).write_text("X,Y,name\n20,30,a\n".replace(",", sign))
    done = warp_file(out, tmp_path / name, block="one", stain="PanCK")
    assert Path(done.path).read_text() == "X,Y,name\n17.0000,25.0000,a\n".replace(",", sign)
    done = warp_file(out, tmp_path / name, block="one", stain="PanCK", to=tmp_path / "o.tsv")
    assert Path(done.path).read_text() == "X\tY\tname\n17.0000\t25.0000\ta\n"


def test_a_label_of_an_ome_zarr_has_its_own_frame_and_is_written_outside_of_it(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten cells of 80 um over a section of 768 um: its last cells reach beyond the section."""
    frame = Frame(("y", "x"), (10, 10), (80.0, 80.0))
    stored = StoredImage.create(tmp_path / "l.zarr", ImageSpec((frame,), None, "uint8", (16, 16), (16, 16)))
    values = np.arange(100, dtype=np.uint8).reshape(10, 10)
    stored.write(0, frame.box, values)
    stored.finish(name="l", label={})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = warp_file(out, tmp_path / "l.zarr", block="one", stain="PanCK")
    assert Path(done.path) == tmp_path / "here" / "l.on-reference.tif"
    centres = (np.arange(10) + 0.5) * 76.8
    y, x = (np.floor((centres + shift) / 80).astype(int) for shift in (40, 24))
    expected = np.where((y < 10)[:, None] & (x < 10), values[np.ix_(y.clip(0, 9), x.clip(0, 9))], 0)
    assert np.array_equal(tifffile.imread(done.path), expected)
    other = Frame(("y", "x"), (30, 10), (80.0, 80.0))
    stored = StoredImage.create(tmp_path / "o.zarr", ImageSpec((other,), None, "uint8", (16, 16), (16, 16)))
    for box in other.box.cut((16, 16)):
        stored.write(0, box, np.ones(box.shape, np.uint8))
    stored.finish(name="o", label={})
    with pytest.raises(SettingsError, match="something else"):
        warp_file(out, tmp_path / "o.zarr", block="one", stain="PanCK")


def test_pixels_of_labels_without_a_place_are_counted(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.ones((96, 96), np.uint8)).save(tmp_path / "l.png")
    whole = warp_file(out, tmp_path / "l.png", block="one", stain="PanCK")
    backward = Warp.to_moving

    def holed(warp: Warp, points: Array) -> Array:
        return np.where((points < 100).all(1)[:, None], np.nan, backward(warp, points))

    monkeypatch.setattr(Warp, "to_moving", holed)
    done = warp_file(out, tmp_path / "l.png", block="one", stain="PanCK", overwrite=True)
    assert whole.lost == 0 and 100 < done.lost < 1000
    assert (np.asarray(Image.open(done.path)) == 0).sum() >= done.lost


def test_labels_keep_their_numbers_at_their_own_resolution(out: Path, tmp_path: Path) -> None:
    labels = np.zeros((48, 48), np.uint16)
    labels[10:20, 12:30] = 700
    Image.fromarray(labels).save(tmp_path / "l.png")
    done = warp_file(out, tmp_path / "l.png", block="one", stain="PanCK")  # half the resolution: 2.5 and 1.5 pixels
    moved = np.asarray(Image.open(done.path))
    assert moved.dtype == np.uint16 and set(np.unique(moved)) == {0, 700}
    y, x = np.nonzero(moved)
    assert abs(y.mean() - 12) <= 0.6 and abs(x.mean() - 19) <= 0.6
    tissue = next((out / "sections").glob("one-*")) / "labels" / "tissue"
    stored = warp_file(out, tissue, block="one", stain="PanCK", inverse=True, to=tmp_path / "tissue.tif")
    assert stored.count == 96 * 96


def test_what_cannot_be_warped_is_refused_with_what_there_is(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = tmp_path / "p.csv"
    points.write_text("X,Y\n1,2\n")

    def code(file: Path = points, **how: Any) -> tuple[str, str]:
        with pytest.raises(SettingsError) as error:
            warp_file(out, file, **{"block": "one", "stain": "PanCK", **how})
        return error.value.code, error.value.message

    assert code(block="three") == ("E_NO_SECTION", f"{out} has no block 'three'; its blocks are one, two.")
    assert code(block="two", stain="Ki67")[1] == "block two has no section 'Ki67'; its stains are HE, PanCK."
    assert code(stain="Ki67")[0] == "E_NOT_REGISTERED"
    assert code(to=points)[0] == "E_EXISTS"
    assert code(tmp_path / "none.csv")[0] == "E_MISSING_FILE"
    (tmp_path / "q.csv").write_text("a,b\n1,2\n")
    assert code(tmp_path / "q.csv", to=tmp_path / "x.csv")[0] == "E_POINTS"
    (tmp_path / "q.geojson").write_text('{"type": "Circle"}')
    assert code(tmp_path / "q.geojson", to=tmp_path / "x.geojson")[0] == "E_GEOJSON"
    Image.fromarray(np.zeros((10, 40), np.uint8)).save(tmp_path / "wide.png")
    assert code(tmp_path / "wide.png")[0] == "E_LABEL_IMAGE"
    (tmp_path / "x.txt").write_text("")
    assert code(tmp_path / "x.txt")[0] == "E_WARP_FILE"
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    for text in ("[" * 100_000, '{"type": "Point", "coordinates": [1e999, 0]}', json.dumps(square).replace("1", "NaN")):
        (tmp_path / "q.geojson").write_text(text)
        assert code(tmp_path / "q.geojson")[0] == "E_GEOJSON"
    assert code(to=tmp_path / "o.tif")[0] == "E_WARP_FILE"
    (tmp_path / "q.geojson").write_text(json.dumps(square))
    assert code(tmp_path / "q.geojson", to=tmp_path / "o.csv")[0] == "E_WARP_FILE"
    Image.fromarray(np.zeros((96, 96), np.uint8)).save(tmp_path / "l.png")
    assert code(tmp_path / "l.png", to=tmp_path / "l.jpg")[0] == "E_WARP_FILE"
    monkeypatch.setattr("tile_engine.engine.export.warp_file.MAX_GEOJSON_BYTES", 50)
    assert code(tmp_path / "q.geojson")[0] == "E_GEOJSON"
    with monkeypatch.context() as small:
        small.setattr("tile_engine.stores.warps.points.MAX_BYTES", 5)
        assert code(to=tmp_path / "o.csv")[0] == "E_POINTS"
    warp_file(out, points, block="one", stain="PanCK", to=tmp_path / "o.csv")
    assert code(to=tmp_path / "o.csv")[0] == "E_EXISTS"
    warp_file(out, points, block="one", stain="PanCK", to=tmp_path / "o.csv", overwrite=True)


def test_a_feature_without_a_place_is_left_out_and_counted() -> None:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [x, 0]}} for x in (1, 50)
    ]
    moved = moved_geojson(
        {"type": "FeatureCollection", "features": features}, lambda p: np.where(p > 40, np.nan, p), longest=9, name="x"
    )
    assert (len(moved.value["features"]), moved.kept, moved.lost, moved.measurements) == (1, 1, 1, 0)


def test_the_command_says_what_it_left_out(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = {"type": "Point", "coordinates": [5, 5]}
    feature = {"type": "Feature", "properties": {"measurements": {"Area": 3.0}}, "geometry": point}
    far = {**feature, "geometry": {**point, "coordinates": [90, 90]}}
    (tmp_path / "a.geojson").write_text(json.dumps([feature, far]))
    monkeypatch.setattr(Warp, "to_reference", lambda warp, points: np.where(points > 400, np.nan, points))
    assert warp(str(out), str(tmp_path / "a.geojson"), "one", "PanCK") == 0
    told = capsys.readouterr()
    assert "a.on-reference.geojson: 1 outlines from PanCK onto the reference of block one" in told.out
    assert "1 outlines have no place there and were left out" in told.err
    assert "the measurements of 1 outlines were left out" in told.err
    assert "measurements" not in (tmp_path / "a.on-reference.geojson").read_text()


def test_measurements_are_dropped_and_counted_and_a_third_coordinate_stays() -> None:
    line = {"type": "LineString", "coordinates": [[0, 0, 5], [4, 0, 9]]}
    measured = {"name": "x", "measurements": {"Area": 3.0}}
    features = [{"type": "Feature", "properties": own, "geometry": line} for own in (measured, {"name": "y"}, None)]
    moved = moved_geojson(features, lambda p: p + np.array([10, 20]), longest=2, name="x")
    assert (moved.kept, moved.measurements) == (3, 1)
    assert [one["properties"] for one in moved.value] == [{"name": "x"}, {"name": "y"}, None]
    assert moved.value[0]["geometry"]["coordinates"] == [[20, 10, 5], [22, 10, 7], [24, 10, 9]]
    assert measured == {"name": "x", "measurements": {"Area": 3.0}}
    nested: dict[str, Any] = line
    for _ in range(5000):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    for bad in (nested, {"type": "LineString", "coordinates": [[0, 0, 5], [4, 0]]}):
        with pytest.raises(SettingsError, match="understood"):
            moved_geojson(bad, lambda p: p, longest=2, name="x")


def test_outlines_of_qupath_count_from_the_scanned_part(out: Path, tmp_path: Path) -> None:
    """As OpenSlide's bounds say it of slides of MIRAX: `corner` in the record of a section."""
    scaled(out)
    images = out / "slides.json" if (out / "slides.json").exists() else out / "sections.json"
    records = json.loads(images.read_text())
    block = next(record for name, record in records.items() if name.startswith("two"))
    next(section for section in block["sections"] if section["stain"] == "PanCK")["corner"] = [4, 6]
    images.write_text(json.dumps(records))
    (tmp_path / "a.geojson").write_text('{"type": "LineString", "coordinates": [[0, 0], [10, 20]]}')
    done = warp_file(out, tmp_path / "a.geojson", block="two", stain="PanCK")
    assert json.loads(Path(done.path).read_text())["coordinates"] == [[12, 8], [32, 48]]
    back = warp_file(out, done.path, block="two", stain="PanCK", inverse=True, to=tmp_path / "b.geojson")
    assert json.loads(Path(back.path).read_text())["coordinates"] == [[0, 0], [10, 20]]
