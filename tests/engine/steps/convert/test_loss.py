"""What is lost of a slide is never taken for glass: it is marked, counted, and rejects the slide where it is much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from damage import cut, emptied, zeroed

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.convert.loss import Loss, check_loss, tiles_in
from tile_engine.engine.steps.convert.tissue import kept_chunks, tissue
from tile_engine.errors import SlideError
from tile_engine.stores.frame import Box

NONE = np.zeros((10, 10), bool)


def loss(*unreadable: Box, absent: tuple[Box, ...] = ()) -> Loss:
    return Loss(unreadable, absent, len(unreadable), len(absent), 25)


def test_a_tile_that_boxes_share_counts_once() -> None:
    assert tiles_in([Box((0, 0), (2, 4)), Box((2, 0), (4, 3)), Box((6, 6), (7, 7))], (4, 4)) == 2


def test_more_unreadable_than_the_limit_rejects_a_slide_on_which_no_tissue_is_left() -> None:
    with pytest.raises(SlideError, match=r"1 of 25 tiles unreadable: 4\.0% of the image and 0\.0%") as failure:
        check_loss(loss(Box((0, 0), (2, 2))), NONE, NONE, 0.01)
    assert failure.value.code == "E_TRUNCATED"
    check_loss(loss(Box((0, 0), (2, 2))), NONE, NONE, 0.05)


def test_unreadable_counts_as_tissue_where_a_coarser_level_shows_some() -> None:
    seen = NONE.copy()
    seen[:4, :4] = True
    with pytest.raises(SlideError, match=r"25\.0% of its tissue"):
        check_loss(loss(Box((0, 0), (2, 2))), NONE, seen, 0.1)


def test_absent_tiles_reject_only_where_a_coarser_level_shows_tissue() -> None:
    seen = NONE.copy()
    check_loss(loss(absent=(Box((0, 0), (9, 10)),)), NONE, seen, 0.01)
    seen[:2] = True
    with pytest.raises(SlideError, match="coarser level"):
        check_loss(loss(absent=(Box((0, 0), (9, 10)),)), NONE, seen, 0.01)


def section(side: int = 512) -> np.ndarray[Any, Any]:
    """A stained section in the middle of glass, (y, x, 3)."""
    from skimage.data import immunohistochemistry

    glass = np.full((side, side, 3), 243, np.uint8)
    glass[side // 4 : -side // 4, side // 4 : -side // 4] = immunohistochemistry()[: side // 2, : side // 2]
    return glass


def written(path: Path, *levels: np.ndarray[Any, Any]) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for level, pixels in enumerate(levels):
            options: dict[str, Any] = {"subfiletype": 1} if level else {"resolution": (2e4, 2e4)}
            tif.write(
                pixels, tile=(64, 64), photometric="rgb", compression="jpeg", resolutionunit=3, metadata=None, **options
            )
    return path


def stored(path: Path, *levels: np.ndarray[Any, Any], without: tuple[int, ...]) -> None:
    """An OME-Zarr of these levels (y, x, 3); of the finest one a chunk is missing."""
    import zarr

    group, datasets = zarr.create_group(path, zarr_format=2), []
    for i, pixels in enumerate(levels):
        shape = (3, *pixels.shape[:2])
        array = group.create_array(str(i), shape=shape, dtype=pixels.dtype, chunks=(3, 64, 64))
        array[...] = pixels.transpose(2, 0, 1)
        scale = [{"type": "scale", "scale": [1.0, 0.5 * 2**i, 0.5 * 2**i]}]
        datasets.append({"path": str(i), "coordinateTransformations": scale})
        if not i:
            (path / "0" / array.metadata.encode_chunk_key((0, *without))).unlink()
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[tile_engine.Run, list[Event]]:
    """One conversion of slides that lost something, each in its own way, and of sound ones; and its events."""
    folder, pixels = tmp_path_factory.mktemp("loss"), section()
    coarse = pixels[::2, ::2], pixels[::4, ::4]
    (folder / "in").mkdir()
    written(folder / "in" / "sound.tif", pixels, *coarse)
    cut(written(folder / "in" / "cut.tif", pixels), tile=16)  # above the tissue: only glass is left
    zeroed(written(folder / "in" / "zeroed.tif", pixels, *coarse), range(64))
    emptied(written(folder / "in" / "emptied.tif", pixels, *coarse), [27, 28, 35, 36])
    emptied(written(folder / "in" / "holes.tif", pixels), [27, 28])
    emptied(written(folder / "in" / "sparse.tif", pixels, *coarse), [*range(8), *range(56, 64)])
    emptied(written(folder / "in" / "none.tif", pixels), range(64))
    written(folder / "in" / "blank.tif", np.full_like(pixels, 243))
    stored(folder / "in" / "tissue.zarr", pixels, *coarse, without=(4, 4))
    stored(folder / "in" / "glass.zarr", pixels, *coarse, without=(0, 0))
    events: list[Event] = []
    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",), report=events.append)
    return tile_engine.cluster(folder / "in", folder / "out", options=how, threads=1), events


def test_tiles_that_fail_among_kept_pixels_are_no_tissue_for_later_steps(tmp_path: Path) -> None:
    """The mask was written before they were read."""
    zeroed(written(tmp_path / "a.tif", section(), section()[::2, ::2]), [27])
    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    settings: dict[str, Any] = {"pixels": "tissue", "max_bad_tiles": 0.5, "threads": 1, "spacing": 0.5}
    run = tile_engine.cluster(tmp_path / "a.tif", tmp_path / "out", options=how, **settings)
    job = load(run.out)
    (slide,) = run.slides
    inside = Box((192, 192), (256, 256)), Box((256, 192), (320, 256))
    assert tissue(job, slide).share(inside).tolist() == [0.0, 1.0]
    assert kept_chunks(job, slide).values.all()


def test_slides_that_lost_their_tissue_are_rejected(converted: tuple[tile_engine.Run, list[Event]]) -> None:
    run, _ = converted
    rejected = {r["name"]: (r["code"], r["message"]) for r in run.rejected.values()}
    assert {name: code for name, (code, _) in rejected.items()} == dict.fromkeys(
        ("cut.tif", "zeroed.tif", "emptied.tif", "none.tif", "tissue.zarr"), "E_TRUNCATED"
    )
    assert "it ends before 48 of 64 tiles, 75.0% of the image" in rejected["cut.tif"][1]  # by its tables, before work
    assert rejected["zeroed.tif"][1].startswith("64 of 64 tiles unreadable")
    assert "coarser level" in rejected["emptied.tif"][1] and "no tile of any level" in rejected["none.tif"][1]


def test_absent_tiles_are_marked_counted_and_printed(converted: tuple[tile_engine.Run, list[Event]]) -> None:
    run, events = converted
    warnings = {e.text.partition(":")[0]: e.text for e in events if e.kind == "warning"}
    assert "2 of 64 tiles absent" in warnings["holes.tif"] and "16 of 64 tiles absent" in warnings["sparse.tif"]
    assert "no tissue" in warnings["blank.tif"] and "sound.tif" not in warnings
    labels = {s.partition("-")[0]: run.layers("tissue")[s].values for s in run.slides}
    assert set(labels) == {"sound", "blank", "holes", "sparse", "glass"}
    assert (labels["glass"] == 3).sum() == 16 and "1 of 64 tiles absent" in warnings["glass.zarr"]
    assert (labels["holes"][12:16, 12:20] == 3).all() and (labels["holes"] == 3).sum() == 32
    assert (labels["sparse"][:4] == 3).all() and (labels["sparse"] == 1).any()
    assert set(np.unique(labels["sound"])) == {0, 1}, "a sound slide has neither"
