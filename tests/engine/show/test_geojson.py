"""GeoJSON: the shapes are the labels, no more and no less."""

import json
import math
import uuid

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import gaussian_filter

from tile_engine.engine.show.geojson import ClusterClass, features, write_geojson
from tile_engine.engine.show.palette import palette

CLASSES = {i: ClusterClass(f"cluster {i}", c) for i, c in enumerate(palette(9), 1)}
LABELS = arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 4))


def rasterised(collection, shape, cell, offset):
    """Which label holds the centre of each cell, by shapely's own test."""
    y = (np.arange(shape[0]) + 0.5) * cell[0] + offset[0]
    x = (np.arange(shape[1]) + 0.5) * cell[1] + offset[1]
    out = np.zeros(shape, int)
    for feature in collection["features"]:
        polygons = shapely.geometry.shape(feature["geometry"])
        inside = shapely.contains_xy(polygons, *np.meshgrid(x, y))
        assert not (out[inside] > 0).any()
        out[inside] = int(feature["properties"]["name"].split()[1])
    return out


@settings(deadline=None, max_examples=150)
@given(
    LABELS, st.sampled_from([(1.0, 1.0), (64.0, 64.0), (128.064, 127.9)]), st.sampled_from([(0.0, 0.0), (32.5, -8.0)])
)
def test_rasterising_the_polygons_gives_the_labels_back(labels, cell, offset):
    collection = features(labels, cell, offset=offset, classes=CLASSES)
    assert np.array_equal(rasterised(collection, labels.shape, cell, offset), labels)


@settings(deadline=None, max_examples=150)
@given(LABELS)
def test_polygons_are_valid_and_their_areas_add_up(labels):
    collection = features(labels, (3.0, 2.0), classes=CLASSES)
    assert len(collection["features"]) == len(set(labels[labels > 0].tolist()))
    for feature in collection["features"]:
        polygons = shapely.geometry.shape(feature["geometry"])
        assert polygons.is_valid
        label = int(feature["properties"]["name"].split()[1])
        assert polygons.area == pytest.approx(6.0 * (labels == label).sum())


def test_a_hole_of_another_label_is_cut_out_and_a_plain_block_has_four_corners():
    labels = np.ones((5, 5), int)
    labels[2, 2] = 2
    one, two = features(labels, (10.0, 10.0), classes=CLASSES)["features"]
    ((outer, hole),) = one["geometry"]["coordinates"]
    assert len(outer) == len(hole) == 5
    assert sorted(map(tuple, two["geometry"]["coordinates"][0][0][:4])) == [(20, 20), (20, 30), (30, 20), (30, 30)]


def test_properties_are_what_qupath_reads():
    classes = {1: ClusterClass('a "quoted" <b>', (1, 2, 3), {"share": 0.5, "dunn": math.nan, "far": math.inf})}
    (feature,) = features(np.ones((1, 2), int), (4.0, 4.0), classes=classes)["features"]
    assert feature["properties"] == {
        "objectType": "annotation",
        "name": 'a "quoted" <b>',
        "classification": {"name": 'a "quoted" <b>', "color": [1, 2, 3]},
        "isLocked": False,
        "measurements": {"share": 0.5},
    }
    assert uuid.UUID(feature["id"]).version == 5


def test_the_file_is_the_same_every_time_and_utf8(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (12, 12))
    classes = {1: ClusterClass("Drüse", (1, 2, 3)), 2: ClusterClass("间质", (4, 5, 6))}
    paths = [write_geojson(tmp_path / f"{i}.geojson", features(labels, (9.0, 9.0), classes=classes)) for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    names = [f["properties"]["name"] for f in json.loads(paths[0].read_text("utf-8"))["features"]]
    assert names == ["Drüse", "间质"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.geojson", "1.geojson"]


def test_no_tissue_is_an_empty_collection():
    assert features(np.zeros((4, 4), int), (1.0, 1.0), classes={})["features"] == []


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": []})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_geojson(path, {"type": "FeatureCollection", "features": [{"bad": math.nan}]})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.geojson"]


def test_a_large_grid_keeps_its_areas():
    rng = np.random.default_rng(0)
    labels = np.argmax([gaussian_filter(rng.normal(size=(500, 500)), 6) for _ in range(5)], axis=0)
    collection = features(labels, (1.0, 1.0), classes=CLASSES)
    total = sum(shapely.geometry.shape(f["geometry"]).area for f in collection["features"])
    assert total == (labels > 0).sum()


def test_areas_are_in_square_millimetres_and_end_at_the_image() -> None:
    labels, extent = np.array([[1, 1], [1, 0]]), (1500.0, 1800.0)
    (found,) = features(labels, (1000.0, 1000.0), extent=extent, classes={1: CLASSES[1]}, pixel_um=(0.5, 0.25))[
        "features"
    ]
    assert found["properties"]["measurements"]["area mm^2"] == (1.8 * 1.0 + 1.0 * 0.5) * 0.5 * 0.25
