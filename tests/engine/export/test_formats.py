"""Exports of slides: what each format holds, pixel by pixel and tile by tile, and where programs look for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import anndata
import h5py
import numpy as np
import pytest
import shapely
import tifffile
import zarr

import tile_engine
from tile_engine import ExportChoices, RunOptions
from tile_engine.engine.api.run import Run
from tile_engine.engine.export.formats import FORMATS
from tile_engine.engine.export.picked import Picked
from tile_engine.engine.export.plain_names import plain_names
from tile_engine.engine.runtime.load import load
from tile_engine.errors import MachineError, SettingsError


@pytest.fixture(scope="module")
def run(mini: Any) -> Run:
    return tile_engine.open_run(mini.out)


@pytest.fixture(scope="module")
def exported(mini: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Format -> folder of an export in it, made once."""
    made: dict[str, Path] = {}

    def of(to: str) -> Path:
        if to == "parquet":
            pytest.importorskip("pyarrow")
        if to not in made:
            made[to] = tmp_path_factory.mktemp("exported") / to
            found = tile_engine.export(mini.out, ExportChoices(to, made[to]))
            assert found.images == 3 and found.written and not found.kept
        return made[to]

    return of


def named(run: Run, slide: str) -> str:
    """The name of a slide's file without its suffix."""
    return Path(run._job.slides[slide].name).stem


def pixels(run: Run, slide: str, level: int = 0) -> Any:
    return run.image(slide, level).values


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_is_kept_is_refused_for_other_results_and_never_writes_over_others_files(
    mini: Any, to: str, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = exported(to)
    names = {path.name for path in folder.iterdir()}
    assert not any(name.startswith(".") for name in names)
    again = tile_engine.export(mini.out, ExportChoices(to, folder))
    assert not again.written and set(again.kept) == names - {"receipts"}
    others = ExportChoices(to, folder, layers=("tissue",))
    with pytest.raises(SettingsError) as caught:
        tile_engine.export(mini.out, others)
    refused = (
        ("export of other results", "E_OTHER_SETTINGS") if FORMATS[to].labels else ("neither labels", "E_SETTINGS")
    )
    assert refused[0] in caught.value.message and caught.value.code == refused[1]
    own = tmp_path / to
    (own / sorted(again.kept)[0]).parent.mkdir(parents=True)
    (own / sorted(again.kept)[0]).write_text("of somebody")
    with pytest.raises(SettingsError, match="was not exported from this run") as caught:
        tile_engine.export(mini.out, ExportChoices(to, own), options=RunOptions(redo=True))
    assert caught.value.code == "E_FOREIGN" and (own / sorted(again.kept)[0]).read_text() == "of somebody"


def test_a_redo_replaces_an_export_of_other_results_and_leaves_nothing_of_it(mini: Any, tmp_path: Path) -> None:
    first = tile_engine.export(mini.out, ExportChoices("ome-zarr-0.4", tmp_path / "a"))
    choices = ExportChoices("ome-zarr-0.4", tmp_path / "a", layers=("tissue",))
    assert tile_engine.export(mini.out, choices, options=RunOptions(redo=True)).written == first.written
    assert {path.name for path in (tmp_path / "a").glob("*.ome.zarr/labels/*")} == {"tissue", ".zattrs", ".zgroup"}


def test_the_same_results_give_the_same_bytes(mini: Any, exported: Callable[[str], Path], tmp_path: Path) -> None:
    for to in FORMATS:
        tile_engine.export(mini.out, ExportChoices(to, tmp_path / to))
        for path in sorted(p for p in (tmp_path / to).rglob("*") if p.is_file() and "receipts" not in p.parts):
            twin = exported(to) / path.relative_to(tmp_path / to)
            assert path.read_bytes() == twin.read_bytes(), path.name


def test_ome_zarr_04_holds_the_image_and_its_labels_for_validators(run: Run, exported: Callable[[str], Path]) -> None:
    import ngff_zarr
    from ome_zarr_models.v04 import Image, ImageLabel, Labels

    for slide in run.slides:
        store = exported("ome-zarr-0.4") / f"{slide}.ome.zarr"
        group = zarr.open_group(store, mode="r", zarr_format=2)
        Image.from_zarr(group)
        Labels.from_zarr(group["labels"])
        found = ngff_zarr.from_ngff_zarr(str(store), validate=True, version="0.4")
        assert group.attrs["multiscales"][0]["type"] == "local mean"
        assert found.images[1].dims == ("t", "c", "z", "y", "x") and found.images[1].scale["y"] == 1.0
        for level in (0, 1):
            np.testing.assert_array_equal(group[str(level)][0, :, 0], pixels(run, slide, level))
            assert group[str(level)].metadata.dimension_separator == "/"
        for name in ("clusters", "tissue"):
            ImageLabel.from_zarr(group[f"labels/{name}"])
            assert group[f"labels/{name}"].attrs["multiscales"][0]["type"] == "nearest"
            np.testing.assert_array_equal(group[f"labels/{name}/1"][0, 0, 0], run.labels(name, 1)[slide].values)


@pytest.mark.parametrize(("to", "ending", "version"), [("ome-zarr-0.4", "ome.zarr", 2), ("spatialdata", "zarr", 3)])
def test_metadata_of_an_exported_store_are_consolidated_in_its_root(
    run: Run, exported: Callable[[str], Path], to: str, ending: str, version: Literal[2, 3]
) -> None:
    store = exported(to) / f"{next(iter(run.slides))}.{ending}"
    whole = zarr.open_consolidated(str(store), zarr_format=version)
    plain = zarr.open_group(store, mode="r", zarr_format=version, use_consolidated=False)
    for name, array in plain.members(max_depth=None):
        assert dict(whole[name].attrs) == dict(array.attrs), name
    assert {name for name, _ in whole.members(max_depth=None)} == {name for name, _ in plain.members(max_depth=None)}
    assert "labels/clusters/0" in whole


def test_ome_tiff_is_a_tiled_pyramid_in_micrometres(run: Run, exported: Callable[[str], Path]) -> None:
    for slide in run.slides:
        with tifffile.TiffFile(exported("ome-tiff") / f"{slide}.ome.tif") as tiff:
            assert tiff.is_ome and 'PhysicalSizeX="0.5"' in (tiff.ome_metadata or "")
            levels = tiff.series[0].levels
            assert levels[0].keyframe.is_tiled and len(levels) == len(
                list((run.out / "slides").glob(f"{slide}*/[0-9]"))
            )
            for number, level in enumerate(levels):
                np.testing.assert_array_equal(level.asarray(), np.moveaxis(pixels(run, slide, number), 0, -1))
        with tifffile.TiffFile(exported("ome-tiff") / f"{slide}.clusters.ome.tif") as tiff:
            np.testing.assert_array_equal(tiff.asarray(), run.labels("clusters")[slide].values)


def test_spatialdata_holds_its_elements_and_a_table_that_annotates_the_tiles(
    run: Run, exported: Callable[[str], Path]
) -> None:
    """The keys and versions that `spatialdata` 0.7 asks for; docs/howto/readers.md says what it made of them."""
    for slide in run.slides:
        root = zarr.open_group(exported("spatialdata") / f"{slide}.zarr", mode="r")
        assert root.attrs["spatialdata_attrs"]["version"] == "0.2"
        np.testing.assert_array_equal(root["images/image/0"][:], pixels(run, slide))
        np.testing.assert_array_equal(root["labels/clusters/0"][:], run.labels("clusters")[slide].values)
        assert root["labels"].attrs["ome"] == {"labels": ["clusters", "tissue"]}
        whole = root["images/image"].attrs["ome"]["multiscales"][0]["coordinateTransformations"][0]
        assert (whole["scale"], whole["output"]["name"]) == ([1.0, 0.5, 0.5], "global")
        table = anndata.read_zarr(exported("spatialdata") / f"{slide}.zarr" / "tables" / "table")
        group = root["tables/table"].attrs
        assert (group["region"], group["region_key"], group["instance_key"]) == ("tiles", "region", "instance_id")
        assert table.uns["spatialdata_attrs"]["region"] == "tiles" and set(table.obs["region"]) == {"tiles"}
        shapes = root["shapes/tiles"]
        assert shapes.attrs["spatialdata_attrs"] == {"version": "0.1", "geos": {"name": "POLYGON", "type": 3}}
        ids = table.obs["instance_id"].to_numpy()
        assert ids.dtype.kind == "i" and len(set(ids)) == len(ids)
        np.testing.assert_array_equal(shapes["Index"][:], ids)
        offsets = tuple(shapes[f"offset{i}"][:] for i in (0, 1))
        squares = shapely.from_ragged_array(shapely.GeometryType.POLYGON, shapes["coords"][:], offsets)
        centres = shapely.get_coordinates(shapely.centroid(squares))
        inside = np.all(table.obsm["spatial"] + 4 <= np.array(pixels(run, slide).shape[:0:-1]) * 0.5, axis=1)
        np.testing.assert_allclose(centres[inside], table.obsm["spatial"][inside])
        mine = run.tiles[run.tiles.obs["slide"] == slide]
        np.testing.assert_array_equal(table.X, np.asarray(mine.X, np.float32))
        np.testing.assert_array_equal(table.obs["cluster"].astype(int), mine.obs["cluster"].astype(int))
        assert len(table.uns["cluster_colors"]) == len(table.obs["cluster"].cat.categories)


def test_h5_has_the_patches_and_features_that_trident_and_clam_read(
    run: Run, exported: Callable[[str], Path], mini: Any
) -> None:
    for slide in run.slides:
        mine = run.tiles[run.tiles.obs["slide"] == slide]
        with h5py.File(exported("h5") / f"{named(run, slide)}.h5") as file:
            assert file["coords"].dtype == np.int64 and file["features"].dtype == np.float32
            np.testing.assert_array_equal(file["features"][:], np.asarray(mine.X, np.float32))
            np.testing.assert_array_equal(file["coords"][:], mine.obs[["x", "y"]].to_numpy() - 8)
            said = dict(file["coords"].attrs)
        assert (said["patch_size"], said["patch_size_level0"], said["patch_level"], said["overlap"]) == (32, 32, 0, 16)
        assert (said["level0_magnification"], said["target_magnification"]) == (20, 20)
        assert (said["level0_height"], said["level0_width"]) == pixels(run, slide).shape[1:]


def test_h5_of_before_which_have_ids_are_replaced_by_those_with_the_names_of_the_slides(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same results: no --redo is needed."""
    choices = ExportChoices("h5", tmp_path / "h5")
    with monkeypatch.context() as before:
        before.setattr("tile_engine.engine.export.export.plain_names", lambda slides: {one: one for one in slides})
        assert set(tile_engine.export(run.out, choices).written) == {f"{slide}.h5" for slide in run.slides}
    assert sorted(tile_engine.export(run.out, choices).written) == ["a.h5", "b.h5", "c.h5"]
    assert sorted(path.name for path in (tmp_path / "h5").glob("*.h5")) == ["a.h5", "b.h5", "c.h5"]


def test_a_name_that_is_not_of_one_slide_alone_stays_behind_its_id() -> None:
    slides: Any = {
        slide: SimpleNamespace(name=name, subimage=part)
        for slide, name, part in [
            ("a-1", "x/TCGA-A1-DX1.0F2C.svs", ""),
            ("b-1", "one/case.svs", ""),
            ("b-2", "two/Case.ndpi", ""),
            ("c-1", "Fall 7.svs", ""),  # a name that no file of ours has
            ("d-1", "scenes.czi/0", "0"),
            ("e-1", "d-1.tif", ""),  # the id of another
            ("f-1", "../f.svs", ""),
            ("g-1", "y/g.vsi/1", "1"),
            ("g-2", "y/g.vsi/2", "2"),
            ("g-3", "z/g.svs", ""),  # a program that looks for g finds the file beside it, too
        ]
    }
    plain = plain_names(slides)
    assert {slide: name for slide, name in plain.items() if slide != name} == {"a-1": "TCGA-A1-DX1.0F2C", "f-1": "f"}
    assert len({name.lower() for name in plain.values()}) == len(slides)


def test_the_file_of_a_rejected_slide_has_its_name_too(run: Run) -> None:
    job = load(run.out)
    first, second = list(job.slides)[:2]
    opened = job.opened | {second: replace(job.slides[second], name=f"other/{job.slides[first].name}")}
    assert Picked(job, first, ()).plain_name == "a"
    assert Picked(replace(job, opened=opened, slides={first: job.slides[first]}), first, ()).plain_name == first


def test_parquet_has_a_row_for_every_tile_with_its_embedding(run: Run, exported: Callable[[str], Path]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for slide in run.slides:
        mine = run.tiles[run.tiles.obs["slide"] == slide]
        table = parquet.read_table(exported("parquet") / f"{slide}.parquet")
        rows = table.to_pandas()
        assert len(rows) == len(mine) and set(rows["slide"]) == {slide}
        names = [name for name in rows if name.startswith("embedding_")]
        np.testing.assert_array_equal(rows[names].to_numpy(np.float32), np.asarray(mine.X, np.float32))
        for name in ("x", "y", "x_um", "y_um", "cluster", "row", "column"):
            np.testing.assert_array_equal(rows[name], mine.obs[name].astype(rows[name].dtype))
        said = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        assert (said["tile_engine.spacing_um"], said["tile_engine.patch_um"], said["tile_engine.stride_um"]) == (
            "0.5",
            "16",
            "8",
        )


def test_without_pyarrow_an_export_says_how_to_install_it(
    mini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match=r"pip install 'tile-engine\[parquet\]'") as caught:
        tile_engine.export(mini.out, ExportChoices("parquet", tmp_path / "out"))
    assert caught.value.code == "E_NO_PYARROW" and not (tmp_path / "out").exists()


def test_geojson_ends_at_the_image_and_has_tiles_where_they_are_asked_for(
    run: Run, exported: Callable[[str], Path], mini: Any, tmp_path: Path
) -> None:
    tile_engine.export(mini.out, ExportChoices("geojson", tmp_path / "a", layers=("clusters", "tiles")))
    for slide in run.slides:
        height, width = pixels(run, slide).shape[1:]
        for folder, kinds in ((exported("geojson"), {"annotation"}), (tmp_path / "a", {"annotation", "tile"})):
            objects = json.loads((folder / f"{slide}.geojson").read_text())["features"]
            assert {one["properties"]["objectType"] for one in objects} == kinds
            bounds = shapely.total_bounds([shapely.geometry.shape(one["geometry"]) for one in objects])
            assert (bounds >= 0).all() and (bounds[2], bounds[3]) <= (width, height)
        tiles = [one for one in objects if one["properties"]["objectType"] == "tile"]
        assert len(tiles) == (run.tiles.obs["slide"] == slide).sum()
        assert set(tiles[0]["properties"]["measurements"]) == {"confidence", "assignment"}
        plain = json.loads((exported("geojson") / f"{slide}.geojson").read_text())["features"]
        assert "tissue" in {one["properties"]["name"] for one in plain}


@pytest.mark.xdist_group("cluster-volumes")  # whose finished run serves several tests
def test_what_a_format_does_not_hold_is_refused_by_name(
    finished: Callable[[str, str], Any], mini: Any, tmp_path: Path
) -> None:
    volumes = finished("cluster", "volumes").out
    for to in FORMATS.keys() - {"ome-zarr-0.4", "parquet"}:
        with pytest.raises(SettingsError, match=r"(?s)holds no volumes\. It can be exported.*\n  nifti ") as caught:
            tile_engine.export(volumes, ExportChoices(to, tmp_path / to))
        assert caught.value.code == "E_EXPORT"
    for to in ("", "nifti"):
        with pytest.raises(SettingsError, match=r"(?s)\n  ome-tiff  .*QuPath.*\n  h5  .*maps/ID.geojson") as caught:
            tile_engine.export(mini.out, ExportChoices(to, tmp_path / "a"))
        assert caught.value.code == "E_EXPORT" and "nifti  " not in caught.value.message
    with pytest.raises(SettingsError, match="no label 'tiles'") as caught:
        tile_engine.export(mini.out, ExportChoices("ome-tiff", tmp_path / "a", layers=("tiles",)))
    assert caught.value.code == "E_NO_LAYER" and not any(tmp_path.iterdir())


def test_a_run_without_clusters_has_tiles_too(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    run = tile_engine.open_run(finished("embed", "slide-tiles").out)
    for to, layers in (("h5", ()), ("spatialdata", ()), ("geojson", ("tiles",))):
        tile_engine.export(run.out, ExportChoices(to, tmp_path / to, layers=layers))
    for slide in run.slides:
        count = int((run.tiles.obs["slide"] == slide).sum())
        with h5py.File(tmp_path / "h5" / f"{named(run, slide)}.h5") as file:
            assert file["features"].shape == (count, run.tiles.shape[1])
        table = anndata.read_zarr(tmp_path / "spatialdata" / f"{slide}.zarr" / "tables" / "table")
        assert len(table) == count and "cluster" not in table.obs
        objects = json.loads((tmp_path / "geojson" / f"{slide}.geojson").read_text())["features"]
        assert [one["properties"]["name"] for one in objects] == ["tile"] * count


@pytest.mark.xdist_group("cluster-volumes")  # whose finished run serves several tests
def test_volumes_have_ome_zarr_04_too(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    run = tile_engine.open_run(finished("cluster", "volumes").out)
    tile_engine.export(run.out, ExportChoices("ome-zarr-0.4", tmp_path / "a", layers=("clusters",)))
    for volume in run.slides:
        group = zarr.open_group(tmp_path / "a" / f"{volume}.ome.zarr", mode="r", zarr_format=2)
        np.testing.assert_array_equal(group["0"][0], run.image(volume).values)
        np.testing.assert_array_equal(group["labels/clusters/0"][0, 0], run.labels("clusters")[volume].values)
