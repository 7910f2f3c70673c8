"""The reader for napari: layers with data, names, colours and places, without napari."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import tile_engine
from tile_engine.engine.api import napari_reader
from tile_engine.engine.api.napari_reader import read_layers, reader_for
from tile_engine.errors import SettingsError
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.placement import placement

ROOT = Path(__file__).parents[3]


def test_the_manifest_names_the_reader_and_the_package_names_the_manifest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    package, _, name = project["project"]["entry-points"]["napari.manifest"]["tile-engine"].partition(":")
    assert name in project["tool"]["setuptools"]["package-data"][package]
    manifest = yaml.safe_load((ROOT / "engine" / "api" / name).read_text())
    (command,), (reader,) = manifest["contributions"]["commands"], manifest["contributions"]["readers"]
    module, _, function = command["python_name"].partition(":")
    assert getattr(importlib.import_module(module), function) is reader_for
    assert reader["command"] == command["id"] and reader["accepts_directories"] and manifest["name"] == "tile-engine"


def test_a_run_opens_with_an_image_its_labels_and_its_layers(mini: Any) -> None:
    run = tile_engine.open_run(mini.out)
    reader = reader_for([str(mini.out)])
    assert reader is not None
    layers = reader(str(mini.out))
    names = ["a.tif", *(f"a.tif: {name}" for name in ("assignment", "confidence", "embedding", "clusters", "tissue"))]
    assert [options["name"] for _, options, _ in layers[:6]] == names and len(layers) == 18
    assert [options["name"] for _, options, _ in layers if options["visible"]] == ["a.tif", "a.tif: clusters"]
    slide = run.slides[0]
    by_name = {options["name"]: (data, options, kind) for data, options, kind in layers}
    data, options, kind = by_name["a.tif"]
    np.testing.assert_array_equal(np.asarray(data[0]), run.image(slide).values.transpose(1, 2, 0))
    assert (kind, options["rgb"], options["scale"], options["translate"]) == ("image", True, [0.5, 0.5], [0.0, 0.0])
    data, options, kind = by_name["a.tif: clusters"]
    np.testing.assert_array_equal(np.asarray(data[1]), run.labels("clusters", 1)[slide].values)
    colours = dict(zip(run.tiles.obs["cluster"].cat.categories, run.tiles.uns["cluster_colors"], strict=True))
    assert kind == "labels" and options["colormap"] == {None: "transparent", 0: "transparent"} | colours
    assert options["features"]["class"][1] == "cluster 1"
    data, options, kind = by_name["a.tif: confidence"]
    np.testing.assert_array_equal(np.asarray(data), run.layers("confidence")[slide].values[0])
    assert (options["scale"], options["translate"]) == ([8.0, 8.0], [3.75, 3.75]), "the middle of a cell of 16 pixels"
    low, high = options["contrast_limits"]
    assert 0 < low < high <= 1
    assert by_name["a.tif: embedding"][1]["scale"] == [1.0, 8.0, 8.0]


def test_one_store_opens_alone_and_other_folders_are_for_other_readers(mini: Any, tmp_path: Path) -> None:
    store = next((mini.out / "slides").glob("b-*.ome.zarr"))
    assert {options["name"].partition(":")[0] for _, options, _ in read_layers(str(store))} == {"b.tif"}
    others = (str(tmp_path), [str(store), str(store)], str(store / "labels" / "tissue"), str(mini.slides / "a.tif"))
    assert [reader_for(path) for path in others] == [None] * 4


def test_a_run_of_many_images_says_what_to_open_instead(mini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari_reader, "MOST_IMAGES", 2)
    with pytest.raises(SettingsError, match=r"run on 3 slides, and at most 2 images .* one of the stores in") as caught:
        read_layers(str(mini.out))
    assert caught.value.code == "E_FOLDER"


def test_volumes_lie_where_the_run_says(finished: Callable[[str, str], Any]) -> None:
    run = tile_engine.open_run(finished("cluster", "volumes").out)
    volume = run.slides[0]
    layers = read_layers(str(run.out / "volumes" / f"{volume}.ome.zarr"))
    image, label = layers[0], next(layer for layer in layers if layer[2] == "labels")
    np.testing.assert_array_equal(np.asarray(image[0]), run.image(volume).values[0])
    assert image[1]["scale"] == label[1]["scale"] and image[1]["translate"] == label[1]["translate"]
    assert all(options["rgb"] is False for _, options, kind in layers if kind == "image"), "four cells are no colours"
    assert image[1]["translate"] == [float(run.image(volume)[axis][0]) for axis in "zyx"]


def test_layers_of_an_oblique_volume_are_turned_behind_their_channels(tmp_path: Path) -> None:
    frame, turn = Frame(("z", "y", "x"), (3, 4, 5), (2e3, 1e3, 1e3)), np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    image = StoredImage.create(tmp_path / "layer", ImageSpec((frame,), 7, "float32", (8, 8, 8), (8, 8, 8)))
    image.write(0, frame.box, np.zeros((7, 3, 4, 5), np.float32))
    image.finish(name="layer", placement=placement(frame, tuple(map(tuple, turn.tolist()))))
    stored = StoredImage.open(image.path)
    affine = napari_reader._layer(stored, "layer")[1]["affine"]
    np.testing.assert_allclose(affine[1:, 1:], stored.placement.of_cells(frame))
    assert affine[0].tolist() == [1, 0, 0, 0, 0] and not affine[1:, 0].any()
    pictures = list(napari_reader._pictures(stored, "old", shown=True))
    assert [options["name"] for _, options, _ in pictures] == [f"old: {n}" for n in range(7)], "no colours are stated"
    assert all("colormap" not in options for _, options, _ in pictures)
