"""warp_file: points, outlines and labels of a finished run, both ways, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tile_engine.engine.export.geojson_points import moved_geojson
from tile_engine.engine.export.warp_file import warp_file
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder
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


def test_what_cannot_be_warped_is_refused_with_what_there_is(out: Path, tmp_path: Path) -> None:
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
    warp_file(out, points, block="one", stain="PanCK", to=tmp_path / "o.csv")
    assert code(to=tmp_path / "o.csv")[0] == "E_EXISTS"
    warp_file(out, points, block="one", stain="PanCK", to=tmp_path / "o.csv", overwrite=True)


def test_a_feature_without_a_place_is_left_out_and_counted() -> None:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [x, 0]}} for x in (1, 50)
    ]
    value, kept, lost = moved_geojson(
        {"type": "FeatureCollection", "features": features}, lambda p: np.where(p > 40, np.nan, p), longest=9, name="x"
    )
    assert (len(value["features"]), kept, lost) == (1, 1, 1)
