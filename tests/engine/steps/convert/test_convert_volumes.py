"""Volumes as OME-Zarr: every voxel as it was, in place, with a pyramid and a mask, accepted by others' validators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.engine.api.commands import embed
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.errors import NoInputError
from tile_engine.stores.frame import Frame
from tile_engine.stores.image import StoredImage, attributes_of, halving, pyramid
from tile_engine.stores.ngff import multiscales
from tile_engine.stores.volumes.reader import open_volume

THICK = np.array([[0, -1.25, 0, 40], [-0.5, 0, 0, 30], [0, 0, 4, -10], [0, 0, 0, 1.0]])
"""i runs to Posterior, j to the Left; slices eight times as thick as voxels are wide."""


def converted(folder: Path, out: Path, *, redo: bool = False) -> Any:
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",), redo=redo)
    return embed(folder, out, options=options)


def blob(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    grid = sum((g / n - 0.45) ** 2 for g, n in zip(np.indices(shape), shape, strict=True))
    values = 900 * np.exp(-12 * grid) + np.random.default_rng(0).integers(0, 9, shape)
    return (values.clip(0, 255) if dtype == "uint8" else values - 40).astype(dtype)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("volumes")
    folder = root / "in"
    folder.mkdir()
    for name, shape, dtype, affine in (
        ("thick", (70, 66, 12), "int16", THICK),
        ("long", (30, 40, 300), "uint8", np.diag([2.0, 2, 2, 1])),
        ("floating", (33, 20, 17), "float32", np.eye(4)),
    ):
        nibabel.save(nibabel.Nifti1Image(blob(shape, dtype), affine), folder / f"{name}.nii.gz")
    return converted(folder, root / "out")


def stores(run: Any) -> dict[str, Path]:
    return {volume.split("-")[0]: run.out / "volumes" / f"{volume}.ome.zarr" for volume in run.slides}


def test_every_voxel_is_stored_as_it_was_in_its_own_type(run: Any) -> None:
    assert sorted(stores(run)) == ["floating", "long", "thick"] and not run.rejected
    for volume, store in zip(run.slides, stores(run).values(), strict=True):
        with open_volume(Path(run.paths[volume])) as source:
            image = StoredImage.open(store)
            assert image.frames[0] == source.frames[0] and image.dtype == source.dtype
            np.testing.assert_array_equal(image.read(image.frames[0].box), source.read(source.frames[0].box))


def test_stated_positions_are_those_of_the_affine(run: Any) -> None:
    store = stores(run)["thick"]
    document = attributes_of(store)
    datasets = document["ome"]["multiscales"][0]["datasets"]
    scale, shift = (
        np.array(datasets[0]["coordinateTransformations"][i][k]) for i, k in ((0, "scale"), (1, "translation"))
    )
    original = nibabel.load(run.paths[store.name.removesuffix(".ome.zarr")])
    values, affine = np.asanyarray(original.dataobj), original.affine
    image = StoredImage.open(store)
    for ijk in np.ndindex(*(2,) * 3):
        at = np.array(ijk) * (np.array(values.shape) - 1)
        x, y, z = 1e3 * (affine @ [*at, 1])[:3]
        cell = tuple(np.rint((np.array([z, y, x]) - shift[1:]) / scale[1:]).astype(int).tolist())
        np.testing.assert_allclose(shift[1:] + cell * scale[1:], [z, y, x], atol=1e-2)
        assert image.levels[0].read_all()[(0, *cell)] == values[tuple(at)]
    assert document["tile_engine"]["source"]["affine"] == affine.tolist()
    for level, dataset in enumerate(datasets):  # centres of coarser cells: the mean of the centres under them
        grown = np.array(dataset["coordinateTransformations"][0]["scale"])[1:] / scale[1:]
        moved = np.array(dataset["coordinateTransformations"][1]["translation"])[1:] - shift[1:]
        np.testing.assert_allclose(moved, (grown - 1) / 2 * scale[1:], err_msg=str(level))


def test_the_finer_axes_are_halved_until_the_others_are_as_fine(run: Any) -> None:
    frames = {name: [f.shape for f in StoredImage.open(store).frames] for name, store in stores(run).items()}
    assert frames["thick"] == [(12, 70, 66), (12, 35, 66), (12, 18, 33)]
    assert frames["long"] == [(300, 40, 30), (150, 20, 15), (75, 10, 8), (38, 5, 4)]
    assert frames["floating"] == [(17, 20, 33)]


def test_a_level_is_the_mean_of_the_cells_under_it_across_shards(run: Any) -> None:
    image = StoredImage.open(stores(run)["long"])
    fine, coarse = (image.read(image.frames[n].box, n)[0].astype(float) for n in (0, 1))
    assert image.shard(0)[0] == 256 and len(list((image.path / "0" / "c" / "0").iterdir())) == 2
    np.testing.assert_array_equal(coarse, np.floor(fine.reshape(150, 2, 20, 2, 15, 2).mean((1, 3, 5)) + 0.5))


def test_the_mask_has_as_many_levels_as_the_image_and_lies_on_it(run: Any) -> None:
    for store in stores(run).values():
        image, mask = StoredImage.open(store), StoredImage.open(store / "labels" / "tissue")
        assert len(mask.frames) == len(image.frames) and mask.frames[0] == image.frames[0]
        values, inside = image.read(image.frames[0].box)[0], mask.read(mask.frames[0].box)[0] == 1
        assert 0.02 < inside.mean() < 0.9 and values[inside].mean() > 3 * values[~inside].mean() + 1


def test_a_labels_properties_are_single_values_of_which_readers_make_columns(run: Any) -> None:
    for store in stores(run).values():
        attributes = attributes_of(store / "labels" / "tissue")
        properties = attributes["ome"]["image-label"]["properties"]
        assert {frozenset(one) for one in properties} == {frozenset({"label-value", "class", "share"})}
        assert all(isinstance(value, int | float | str) for one in properties for value in one.values())
        image, mask = StoredImage.open(store), StoredImage.open(store / "labels" / "tissue")
        outside = image.read(image.frames[0].box)[0][mask.read(mask.frames[0].box)[0] == 0]
        assert attributes["tile_engine"]["background_median"] == [pytest.approx(float(np.median(outside)), abs=1e-3)]


@pytest.mark.parametrize("group", ["", "labels/tissue"])
def test_validators_and_other_readers_accept_them(run: Any, group: str) -> None:
    import ngff_zarr
    import tensorstore
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel

    for store in stores(run).values():
        (ImageLabel if group else Image).from_zarr(zarr.open_group(store / group, mode="r"))
        found = ngff_zarr.from_ngff_zarr(str(store / group), validate=True, version="0.5")
        image = StoredImage.open(store / group)
        for level, (theirs, frame) in enumerate(zip(found.images, image.frames, strict=True)):
            assert [theirs.scale[a] for a in "zyx"] == list(frame.spacing)
            ours = image.levels[level].read_all()
            path = store / group / str(level)
            other = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
            np.testing.assert_array_equal(other.read().result(), ours)
            np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], ours)


@pytest.mark.parametrize("hit", ["background", "head"])
def test_a_chunk_that_cannot_be_decoded_is_masked_where_little_is_lost(tmp_path: Path, hit: str) -> None:
    import zarr

    store = tmp_path / "in" / "torn.ome.zarr"
    group = zarr.open_group(store, mode="w", zarr_format=3)
    values = np.random.default_rng(0).integers(0, 9, (100, 130, 140)).astype(np.uint16)
    values[:64, :64, :64] += 500
    array = group.create_array("0", shape=values.shape, chunks=(64, 64, 64), dtype="uint16")
    array[:] = values
    frame = Frame(("z", "y", "x"), values.shape, (2.0, 2.0, 2.0))
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales([frame], name="torn", channels=False)}
    chunk = store / "0" / "c" / ("1/2/2" if hit == "background" else "0/0/0")
    chunk.write_bytes(b"torn" + chunk.read_bytes()[4:])
    if hit == "head":
        with pytest.raises(NoInputError) as caught:
            converted(store, tmp_path / "out")
        assert caught.value.exit_status == 4
        (rejected,) = json.loads((tmp_path / "out" / "rejected.json").read_text()).values()
        assert rejected["code"] == "E_TRUNCATED" and "max-bad" not in rejected["message"]
        return
    run = converted(store, tmp_path / "out")
    labels = run.layers("tissue")[run.slides[0]].values
    assert (labels[64:, 128:, 128:] == 2).all() and (labels == 2).sum() == 36 * 2 * 12
    image = run.image(run.slides[0]).values[0]
    assert not image[64:, 128:, 128:].any()
    np.testing.assert_array_equal(image[:64], values[:64])


def test_halvings_end_at_cells_as_long_as_wide() -> None:
    frames = pyramid(Frame(("z", "y", "x"), (20, 512, 400), (5.0, 1.0, 0.9)), longest=64)
    assert [halving(f) for f in frames] == [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)][: len(frames)]
    assert frames[-1].shape == (10, 64, 50)


def test_the_same_command_does_nothing_again_and_another_volume_leaves_the_others(run: Any) -> None:
    folder = Path(next(iter(run.paths.values()))).parent
    receipts = {p: p.stat().st_mtime_ns for p in (run.out / "receipts").rglob("*.json")}
    again = converted(folder, run.out)
    assert again.status == "running" and {p: p.stat().st_mtime_ns for p in receipts} == receipts
    facts = json.loads(next(iter((run.out / "receipts" / "pyramid").rglob("*.json"))).read_text())["facts"]
    assert facts["tissue_mm3"] > 0 and facts["unreadable_share"] == 0
    nibabel.save(nibabel.Nifti1Image(blob((20, 20, 20), "int16"), np.diag([9.0, 9, 9, 1])), folder / "another.nii.gz")
    more = converted(folder, run.out, redo=True)
    (folder / "another.nii.gz").unlink()
    assert len(more.slides) == 4 and {p: p.stat().st_mtime_ns for p in receipts} == receipts


def test_coarser_levels_of_a_label_map_hold_its_labels_alone(tmp_path: Path) -> None:
    labels = np.zeros((70, 66, 68), np.uint8)
    labels[3:33, 5:50, 5:50], labels[33:60, 5:50, 5:50], labels[21:41, 20:40, 25:45] = 4, 47, 11
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "aseg.nii.gz")
    run = converted(tmp_path / "aseg.nii.gz", tmp_path / "out")
    image = StoredImage.open(run.out / "volumes" / f"{run.slides[0]}.ome.zarr")
    assert len(image.frames) == 2 and set(np.unique(image.levels[1].read_all())) == {0, 4, 11, 47}
    np.testing.assert_array_equal(run.layers("tissue")[run.slides[0]].values == 1, labels.T != 0)
