"""What a finished run leaves: stores that others' validators and readers accept, layers in register, tables that agree."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine.engine.api.run import Run
from tile_engine.errors import CorruptError, SettingsError
from tile_engine.stores.image import StoredImage

GROUPS = ("", "labels/tissue", "labels/clusters", "layers/assignment", "layers/confidence", "layers/embedding")


@pytest.fixture(scope="module")
def run(mini: Any) -> Run:
    return tile_engine.open_run(mini.out)


def stores(run: Run) -> list[Path]:
    return [run.out / "slides" / f"{slide}.ome.zarr" for slide in run.slides]


def test_all_three_slides_are_done_and_none_is_rejected(run: Run) -> None:
    assert [slide.split("-")[0] for slide in run.slides] == ["a", "b", "c"]
    assert (run.status, run.rejected, run.exit_status) == ("done", {}, 0)
    assert run.settings["k"] == [2, 3] and run.validity["k"] in (1, 2, 3) and run.validity["clusters"] in (2, 3)
    assert repr(run).endswith("3 slides, done)")


@pytest.mark.parametrize("group", GROUPS)
def test_ome_zarr_models_accepts_every_image_and_label(run: Run, group: str) -> None:
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel, Labels

    for store in stores(run):
        kind = ImageLabel if group.startswith("labels") else Image
        kind.from_zarr(zarr.open_group(store / group, mode="r"))
        Labels.from_zarr(zarr.open_group(store / "labels", mode="r"))


@pytest.mark.parametrize("group", GROUPS)
def test_ngff_zarr_accepts_every_image_and_label(run: Run, group: str) -> None:
    import ngff_zarr

    for store in stores(run):
        found = ngff_zarr.from_ngff_zarr(str(store / group), validate=True, version="0.5")
        frames = StoredImage.open(store / group).frames
        for image, frame in zip(found.images, frames, strict=True):
            assert [image.scale[a] for a in "yx"] == list(frame.spacing)
            assert image.axes_units == {"y": "micrometer", "x": "micrometer"} | (
                {"c": None} if "c" in image.dims else {}
            )


def test_ome_zarr_py_finds_the_image_and_both_labels_with_their_colours(run: Run) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    for slide, store in zip(run.slides, stores(run), strict=True):
        nodes = {
            Path(node.zarr.path).name if hasattr(node.zarr, "path") else str(node): node
            for node in Reader(parse_url(str(store)))()
        }
        shapes = [node.data[0].shape for node in nodes.values() if node.data]
        image = run.image(slide).shape
        assert sorted(shapes) == sorted([image, image[1:], image[1:]])
        coloured = [node.metadata["color"] for node in nodes.values() if node.metadata.get("color")]
        assert len(coloured) == 2 and all(1 in colours for colours in coloured)


def test_tensorstore_and_zarr_read_what_open_run_reads(run: Run) -> None:
    import tensorstore
    import zarr

    for slide, store in zip(run.slides, stores(run), strict=True):
        for level in range(len(StoredImage.open(store).levels)):
            path = store / str(level)
            ours = run.image(slide, level).values
            theirs = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
            np.testing.assert_array_equal(theirs.read().result(), ours)
            np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], ours)


def test_stored_pixels_are_those_that_openslide_decodes(run: Run, mini: Any) -> None:
    import tifffile

    for slide, name in zip(run.slides, "abc", strict=True):
        with tifffile.TiffFile(mini.slides / f"{name}.tif") as tiff:
            pixels = tiff.asarray()
        np.testing.assert_array_equal(run.image(slide).values, np.moveaxis(pixels, -1, 0))


def test_levels_halve_and_their_shapes_are_rounded_up(run: Run) -> None:
    for store in stores(run):
        frames = StoredImage.open(store).frames
        assert frames[0].spacing == (0.5, 0.5) and max(frames[-1].shape) <= 256 < max(frames[-2].shape)
        for finer, coarser in itertools.pairwise(frames):
            assert coarser.shape == tuple(-(-n // 2) for n in finer.shape)
            assert coarser.spacing == tuple(2 * s for s in finer.spacing) and coarser.origin == finer.origin
        for name in GROUPS[1:3]:
            assert len(StoredImage.open(store / name).frames) == len(frames), (
                "labels have as many levels as their image"
            )


def test_the_list_of_labels_stands_where_the_standard_and_where_vizarr_look(run: Run) -> None:
    for store in stores(run):
        attributes = json.loads((store / "labels" / "zarr.json").read_text())["attributes"]
        assert attributes["ome"]["labels"] == attributes["labels"] == ["clusters", "tissue"]


@pytest.mark.parametrize("name", ["clusters", "tissue"])
def test_every_pixel_of_a_label_lies_where_that_of_the_image_lies_on_every_level(run: Run, name: str) -> None:
    """So readers that ignore `translation` show it in register, too: its finest level has none."""
    for slide, store in zip(run.slides, stores(run), strict=True):
        label = StoredImage.open(store / "labels" / name)
        assert label.frames == StoredImage.open(store).frames
        datasets = json.loads((store / "labels" / name / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][
            0
        ]
        assert datasets["datasets"][0]["coordinateTransformations"][1]["translation"] == [0.0, 0.0]
        cells, pixels = run.layers(name)[slide], run.labels(name)[slide]
        assert pixels.sizes == run.image(slide)[0].sizes and pixels.sizes["y"] > cells.sizes["y"]
        nearest = cells.sel(y=pixels.y, x=pixels.x, method="nearest").values  # a cell's middle lies between its pixels'
        np.testing.assert_array_equal(pixels.values, nearest)


@pytest.mark.parametrize("name", ["clusters", "confidence", "embedding"])
def test_the_centre_of_a_cell_is_the_centre_of_the_pixels_that_it_stands_for(run: Run, name: str) -> None:
    step = run.settings["patch"] // 2
    for slide, layer in run.layers(name).items():
        image = run.image(slide)
        for axis, cells in (("y", layer.y.values), ("x", layer.x.values)):
            pixels = image[axis].values
            for i, centre in enumerate(cells):
                part = pixels[i * step : (i + 1) * step]
                spacing = pixels[1] - pixels[0]
                assert centre == pytest.approx(part[0] + (step - 1) / 2 * spacing, abs=1e-9)
            assert (len(cells) - 1) * step < len(pixels) <= len(cells) * step
        assert layer.attrs["spacing_um"] == [step * 0.5] * 2


def test_arrays_are_lazy_labelled_and_cut_like_numpys(run: Run) -> None:
    slide = run.slides[1]
    image, whole = run.images[slide], run.image(slide).values
    assert image.dims == ("c", "y", "x") and run.layers("tissue")[slide].dims == ("y", "x")
    assert image.y.attrs["units"] == "micrometer" and image.dtype == np.uint8
    np.testing.assert_array_equal(image[1, 5:90:7, 30:40].values, whole[1, 5:90:7, 30:40])
    np.testing.assert_array_equal(image.sel(y=slice(10, 20), x=30.25).values, whole[:, 20:40, 60])
    np.testing.assert_array_equal(image.isel(c=0, y=-1).values, whole[0, -1])
    np.testing.assert_array_equal(image.isel(x=slice(10, 10)).values, whole[:, :, 10:10])
    np.testing.assert_array_equal(image.isel(y=slice(None, None, -1)).values, whole[:, ::-1])


def test_layers_agree_with_each_other(run: Run) -> None:
    k, tree = run.validity["clusters"], run.document("clusters")
    level = len(tree["parents"]) if run.validity["k"] == 1 else tree["recommended"]
    for slide in run.slides:
        clusters, confidence, embedding = (run.layers(n)[slide].values for n in ("clusters", "confidence", "embedding"))
        on = clusters > 0
        assert on.any() and clusters.max() <= level and clusters.dtype == np.uint8
        np.testing.assert_array_equal(on, run.layers("assignment")[slide].values[0] > 0)
        assert (confidence[0][on] >= 1 / k - 1e-6).all() and (confidence[0][on] <= 1 + 1e-6).all()
        assert not confidence[0][~on].any() and not embedding[:, ~on].any()
        assert embedding.dtype == np.float16 and np.isfinite(embedding).all()


def test_where_a_cluster_splits_its_larger_part_keeps_the_number(run: Run) -> None:
    tree = run.document("clusters")
    finest = len(tree["parents"])
    assert sorted(tree["numbers"]) == list(range(1, finest + 1)) and tree["trained"] == run.validity["clusters"]
    fine = sum(np.bincount(layer.values.ravel(), minlength=finest + 1) for layer in run.layers("assignment").values())[
        1:
    ]
    assert [tree["tiles"][number - 1] for number in tree["numbers"]] == fine.tolist()
    united = dict(enumerate(tree["tiles"], start=1))
    for number in range(finest, 1, -1):  # from the finest level up
        parent = tree["parents"][number - 1]
        assert 1 <= parent < number and united[parent] >= united[number]
        united[parent] += united.pop(number)
    assert united == {1: fine.sum()}


def test_the_table_has_a_row_for_every_labelled_cell_with_its_place_cluster_and_embedding(run: Run) -> None:
    tiles = run.tiles
    assert sum(int((layer.values > 0).sum()) for layer in run.layers("clusters").values()) == len(tiles.obs)
    for slide in run.slides:
        mine = tiles[tiles.obs["slide"] == slide]
        row, column = mine.obs["row"].to_numpy(), mine.obs["column"].to_numpy()
        labels, embedding = run.layers("clusters")[slide], run.layers("embedding")[slide]
        np.testing.assert_array_equal(mine.obs["cluster"].astype(int), labels.values[row, column])
        np.testing.assert_array_equal(mine.X, embedding.values[:, row, column].T)
        np.testing.assert_allclose(mine.obsm["spatial"], np.stack([labels.x.values[column], labels.y.values[row]], 1))
        np.testing.assert_array_equal(mine.obs["y"], row * run.settings["patch"] // 2)


def test_viewers_find_colours_windows_and_how_levels_were_made(run: Run) -> None:
    for store in stores(run):
        for group in GROUPS:
            ome = json.loads((store / group / "zarr.json").read_text())["attributes"]["ome"]
            image = StoredImage.open(store / group)
            kind = "nearest" if group.startswith("labels") else "local mean"
            assert ome["multiscales"][0].get("type") == (kind if len(image.frames) > 1 else None)
            if group.startswith("labels"):
                assert {"colors", "properties", "source"} <= ome["image-label"].keys()
                continue
            channels = ome["omero"]["channels"]
            assert len(channels) == image.channels and all(re.fullmatch("[0-9A-F]{6}", c["color"]) for c in channels)
            values = image.read(image.frames[0].box).reshape(image.channels, -1).astype(float)
            for channel, cells in zip(channels, values, strict=True):
                window = channel["window"]
                assert window["min"] <= window["start"] < window["end"] <= window["max"]
                if group:  # layers: what is in use; pixels of a byte are shown as they are
                    assert cells.min() - 1e-3 <= window["start"] and window["end"] <= cells.max() + 1e-3
                else:
                    assert (window["start"], window["end"]) == (0, 255)


def test_the_table_has_the_clusters_colours_and_values_that_every_reader_knows(run: Run) -> None:
    tiles = run.tiles
    listed = {row["cluster"]: row["colour"] for row in csv.DictReader((run.out / "clusters.csv").open())}
    categories = [str(n) for n in tiles.obs["cluster"].cat.categories]
    assert dict(zip(categories, tiles.uns["cluster_colors"], strict=True)) == listed
    assert tiles.X.dtype == np.float32
    group = json.loads((run.out / "tables" / "tiles.zarr" / "zarr.json").read_text())
    assert "obs/cluster/codes" in group["consolidated_metadata"]["metadata"]


def test_shares_are_the_labels_shares_and_sum_to_one(run: Run) -> None:
    shares = run.shares
    assert list(shares.index) == run.slides
    for slide, row in shares.iterrows():
        labels = run.layers("clusters")[str(slide)].values
        found = row.filter(like="cluster ").to_numpy(float)
        assert found.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(
            found, np.bincount(labels[labels > 0], minlength=len(found) + 1)[1:] / row["tiles"], atol=1e-6
        )


def test_geojson_rasterises_to_the_labels_in_pixels_of_level_0(run: Run) -> None:
    import shapely

    step = run.settings["patch"] // 2
    for slide in run.slides:
        labels = run.layers("clusters")[slide].values
        collection = json.loads((run.out / "maps" / f"{slide}.geojson").read_text())
        again = np.zeros_like(labels)
        y, x = np.meshgrid(
            *(np.arange(n) * step + 0.5 for n in labels.shape), indexing="ij"
        )  # the last cells are cut off
        for feature in collection["features"]:
            shape = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert shape.is_valid
            again[shapely.contains_xy(shape, x, y)] = int(feature["properties"]["classification"]["name"].split()[1])
        np.testing.assert_array_equal(again, labels)


def test_the_report_is_one_offline_page_that_shows_every_slide(run: Run) -> None:
    page = run.report.read_text()
    assert all(name in page for name in ("a.tif", "b.tif", "c.tif"))
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page), "no remote asset"
    for target in re.findall(r"""(?:src|href)=["']([^"'#][^"']*)["']""", page):
        assert target.startswith("data:") or (run.out / target).exists(), target
    assert all(run.map(slide).stat().st_size > 1000 for slide in run.slides)


def test_the_report_opens_in_a_browser(run: Run, tmp_path: Path) -> None:
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    if browser is None:
        assert os.environ.get("CI", "").lower() != "true", "CI needs a chromium"
        pytest.skip("no chromium here")
    shot = tmp_path / "report.png"
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1200,900",
    ]
    subprocess.run(
        [browser, *flags, f"--screenshot={shot}", run.report.as_uri()], capture_output=True, timeout=60, check=False
    )
    from PIL import Image

    pixels = np.asarray(Image.open(shot).convert("L"))
    assert pixels.shape == (900, 1200) and pixels.std() > 10, "something is drawn"


def test_a_misspelt_layer_is_told_what_was_meant(run: Run) -> None:
    with pytest.raises(SettingsError, match="no layer 'cluster', did you mean 'clusters'"):
        run.layers("cluster")


def test_a_notebook_shows_a_table_and_nothing_that_a_name_smuggles_in(mini: Any, tmp_path: Path) -> None:
    shown = tile_engine.open_run(mini.copy(tmp_path / "<b>out"))._repr_html_()
    assert "cluster, done" in shown and "3 slides" in shown and "<th>K</th>" in shown
    assert "&lt;b&gt;out/report.html" in shown and "<b>" not in shown


def test_a_shell_completes_the_public_names() -> None:
    assert {*tile_engine.__all__, "errors"} <= set(dir(tile_engine))
    assert tile_engine.errors.SettingsError is SettingsError


def test_what_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="gradcam"):
        run.layers("gradcam")
    with pytest.raises(SettingsError, match="holds no run") as caught:
        tile_engine.open_run(tmp_path)
    assert caught.value.code == "E_NO_RUN"


def test_an_unfinished_store_and_a_lost_shard_are_corrupt_and_not_blank(mini: Any, tmp_path: Path) -> None:
    run = tile_engine.open_run(mini.copy(tmp_path / "out"))
    first, second, _ = stores(run)
    (first / "0" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(CorruptError, match="missing"):
        run.image(run.slides[0]).values  # noqa: B018
    document = json.loads((second / "zarr.json").read_text())
    document["attributes"]["tile_engine"]["status"] = "incomplete"
    (second / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(CorruptError, match="not finished"):
        run.image(run.slides[1])


def test_a_table_that_such_a_run_never_writes_or_that_is_gone_is_an_error_of_ours(mini: Any, tmp_path: Path) -> None:
    run = tile_engine.open_run(mini.copy(tmp_path / "out"))
    with pytest.raises(
        SettingsError, match=r"writes no table 'volumes': its tables are read by \.table\('tiles'\)"
    ) as caught:
        _ = run.volumes
    assert caught.value.code == "E_NO_TABLE"
    (run.out / "shares.csv").unlink()
    (run.out / "tables" / "tiles.zarr" / "zarr.json").unlink()
    for look in (lambda: run.shares, lambda: run.tiles):
        with pytest.raises(CorruptError, match="is not done yet"):
            look()
