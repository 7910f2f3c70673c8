"""Masks from outside: images of any size and GeoJSON outlines, on a grid over the whole slide; files that are no such mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tile_engine.errors import SlideError
from tile_engine.stores.slides.outside_mask import check_outside_mask, read_outside_mask

SLIDE = (600, 800)
LEFT = np.zeros((30, 40), bool)
LEFT[:, :20] = True


def outline(*rings: list[list[float]], kind: str = "Polygon") -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": list(rings)}, "properties": {}}


def square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def geojson(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


@pytest.mark.parametrize("shape", [(30, 40), (75, 100), (600, 800), (7, 9)])
@pytest.mark.parametrize("kind", ["png", "rgba", "palette", "tif", "planes"])
def test_an_image_is_stretched_over_the_slide(tmp_path: Path, kind: str, shape: tuple[int, int]) -> None:
    values = LEFT.astype(np.uint8) * 7
    path = tmp_path / ("m.tif" if kind in ("tif", "planes") else "m.png")
    if kind == "tif":
        tifffile.imwrite(path, values.astype(np.uint16))
    elif kind == "planes":
        tifffile.imwrite(path, np.stack([values] * 3), photometric="rgb", planarconfig="separate")
    elif kind == "rgba":
        alpha = np.full_like(values, 255)
        Image.fromarray(np.dstack([values, values * 0, values * 0, alpha])).save(path)
    else:
        picture = Image.fromarray(values, mode="P" if kind == "palette" else "L")
        if kind == "palette":
            picture.putpalette([0] * 768)
        picture.save(path)
    check_outside_mask(path, SLIDE)
    mask = read_outside_mask(path, SLIDE, shape)
    half = shape[1] // 2
    assert mask.shape == shape and mask[:, :half].all() and not mask[:, -half:].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_stretching_keeps_the_area(tmp_path_factory: Any, rows: int, columns: int, seed: int) -> None:
    """To its own size it is the same mask; to a multiple of its size every cell is repeated."""
    path = tmp_path_factory.mktemp("m") / "m.png"
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    Image.fromarray(mask.astype(np.uint8)).save(path)
    assert np.array_equal(read_outside_mask(path, (rows * 8, columns * 8), (rows, columns)), mask)
    finer = read_outside_mask(path, (rows * 8, columns * 8), (rows * 3, columns * 3))
    assert np.array_equal(finer, mask.repeat(3, 0).repeat(3, 1))


def test_outlines_have_holes_and_lie_in_pixels_of_level_0(tmp_path: Path) -> None:
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}}
    many = outline([square(600, 400, 100)], [square(700, 500, 100)], kind="MultiPolygon")
    path = geojson(tmp_path / "m.geojson", outline(square(0, 0, 400), square(100, 100, 200)), many, point)
    mask = read_outside_mask(path, SLIDE, (60, 80))
    expected = np.zeros((60, 80), bool)
    expected[:40, :40] = True
    expected[10:30, 10:30] = False
    expected[40:50, 60:70] = expected[50:60, 70:80] = True
    assert np.array_equal(mask, expected)


def test_one_outline_in_the_hole_of_another_counts(tmp_path: Path) -> None:
    features = outline(square(0, 0, 400), square(100, 100, 200)), outline(square(150, 150, 100))
    assert read_outside_mask(geojson(tmp_path / "m.json", *features), SLIDE, (60, 80))[20, 20]


@pytest.mark.parametrize("size", [(60, 60), (30, 40), (50, 80)])
def test_an_image_of_another_aspect_ratio_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size, 1).save(tmp_path / "m.png")
    for call in (lambda p: check_outside_mask(p, SLIDE), lambda p: read_outside_mask(p, SLIDE, (60, 80))):
        with pytest.raises(SlideError, match="another aspect ratio") as error:
            call(tmp_path / "m.png")
        assert error.value.code == "E_OTHER_MASK"


def test_outlines_beyond_the_slide_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"\(0, 0\) to \(5000, 5000\), the slide") as error:
        check_outside_mask(geojson(tmp_path / "m.geojson", outline(square(0, 0, 5000))), SLIDE)
    assert error.value.code == "E_OTHER_MASK"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.png", b"no picture"),
        ("m.tif", b"II*\0"),
        ("m.geojson", b"{"),
        ("m.geojson", b'{"type": "FeatureCollection"}'),
        ("m.geojson", b'{"type": "Point", "coordinates": [1, 2]}'),
        ("m.geojson", b'{"type": "Polygon", "coordinates": [[[1, 2], "x"]]}'),
    ],
)
def test_a_file_without_a_mask_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SlideError, match=name) as error:
        check_outside_mask(tmp_path / name, SLIDE)
    assert error.value.code == "E_MASK"


@pytest.mark.parametrize(
    "polygon",
    [[], [[]], [[[1, 2], [3]]], [[1, 2, 3]], [[["a", "b"]]], "x", 5, {"a": 1}, [[[1e999, 0], [0, 1], [1, 1]]]],
)
def test_outlines_that_are_none_are_refused_by_name(tmp_path: Path, polygon: Any) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": polygon}))
    with pytest.raises(SlideError, match=r"a\.geojson") as caught:
        check_outside_mask(path, (400, 500))
    assert caught.value.code in ("E_MASK", "E_OTHER_MASK")


def test_a_stack_of_planes_is_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 40, 50), np.uint8))
    with pytest.raises(SlideError, match="axes"):
        read_outside_mask(tmp_path / "a.tif", (400, 500), (40, 50))
