"""Patches read tile by tile are those of any other way, and each tile that a patch overlaps is decoded once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.errors import CorruptError
from tile_engine.stores.array import ArraySpec
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.slides.guarded import guarded
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.view import at_spacing
from tile_engine.stores.tile_reader import TileReader

TILE = (16, 24)


class TiledSource(MemorySource):
    """Decodes tiles into one buffer of each thread, counts them, and cannot decode those that touch `broken`."""

    def __init__(self, pixels: np.ndarray[Any, Any], broken: tuple[Box, ...] = ()) -> None:
        super().__init__(pixels, background=9, broken=broken)
        self.decoded: Counter[Box] = Counter()
        self.lost, self._local, self._lock = broken, threading.local(), threading.Lock()

    def tile_reader(self, level: int = 0) -> TileReader:
        return TileReader(TILE, (TILE[0], self.frames[0].shape[1]), self._decode)

    def _decode(self, tiles: Sequence[Box]) -> Iterator[np.ndarray[Any, Any] | None]:
        buffer = self._local.__dict__.setdefault("buffer", np.empty((self.channels, *TILE), self.dtype))
        for tile in tiles:
            with self._lock:
                self.decoded[tile] += 1
            if any((tile & one).size for one in self.lost):
                yield None
                continue
            buffer[:, : tile.shape[0], : tile.shape[1]] = self._levels[0][(slice(None), *tile.slices)]
            yield buffer[:, : tile.shape[0], : tile.shape[1]]
            buffer[...] = 77  # whoever kept it has nothing


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.tuples(st.integers(-30, 95), st.integers(-30, 95)), min_size=1, max_size=20),
    st.integers(1, 40),
)
def test_each_tile_is_decoded_once_and_patches_are_those_of_the_padded_image(
    shape: tuple[int, int], places: list[tuple[int, int]], side: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    source = TiledSource(pixels)
    padded = np.pad(pixels, ((0, 0), (40, 160), (40, 160)), constant_values=9)
    found = read_patches(source, np.array(places), side)
    overlapped = set()
    for (y, x), patch in zip(places, found, strict=True):
        np.testing.assert_array_equal(patch, padded[:, y + 40 : y + 40 + side, x + 40 : x + 40 + side])
        box = Box((max(y, 0), max(x, 0)), (max(y + side, 0), max(x + side, 0))) & source.frames[0].box
        overlapped |= {tile for tile in source.frames[0].box.cut(TILE) if (tile & box).size}
    assert source.decoded == Counter(overlapped)


def test_tiles_that_cannot_be_decoded_are_background_as_in_blocks() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 90, 90), np.uint8)
    source = TiledSource(pixels, broken=(Box((20, 50), (21, 51)),))
    source.tiles = (TILE,)
    places = np.array([[18, 50], *np.random.default_rng(1).integers(-5, 80, (30, 2))])
    by_tile = read_patches(source, places, 12)
    np.testing.assert_array_equal(by_tile, read_patches(source, places, 12, cell=48, block=96))
    assert (by_tile[0] == 9).all()


def test_patches_are_put_into_the_array_that_is_given() -> None:
    source = TiledSource(np.random.default_rng(0).integers(0, 256, (3, 60, 60), np.uint8))
    sample, places = np.zeros((5, 3, 12, 12), np.uint8), np.array([[0, 0], [30, 44], [-3, 55]])
    assert np.shares_memory(read_patches(source, places, 12, out=sample[1:4]), sample)
    np.testing.assert_array_equal(sample[1:4], read_patches(source, places, 12))
    assert not sample[[0, 4]].any()


def damaged_slide(path: Path) -> Path:
    """A slide of 700 x 610 pixels in JPEG tiles of 128: the sixth was never scanned, the eighth is damaged."""
    pixels = np.random.default_rng(0).integers(0, 256, (700 // 4, 610 // 4 + 1, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    options = {"tile": (128, 128), "resolution": (20000, 20000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(path, pixels[:700, :610], photometric="rgb", compression="jpeg", **options)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        page = tif.pages[0]
        counts, offset = list(page.databytecounts), page.dataoffsets[7]
        counts[5] = 0
        page.tags["TileByteCounts"].overwrite(counts)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\0" * 64)
    return path


def test_a_slide_read_tile_by_tile_gives_what_it_gives_in_blocks(tmp_path: Path) -> None:
    places = np.random.default_rng(3).integers(-20, 690, (80, 2))
    with open_slide(damaged_slide(tmp_path / "slide.tif")) as slide:
        view = at_spacing(slide, 0.5)
        assert view.tile_reader() is not None
        found = read_patches(view, places, 96)
        np.testing.assert_array_equal(found, read_patches(view, places, 96, cell=256, block=2048))
        assert (found == 255).all((1, 2, 3)).any() and (found != 255).any()
        assert at_spacing(slide, 1.0).tile_reader() is None, "averaged pixels are in no tile"
        crashing = guarded(slide, [(0, Box((0, 0), (128, 128)))])
        assert crashing.tile_reader() is None
        masked = read_patches(crashing, np.array([[10, 10], [300, 300]]), 64)
        assert (masked[0] == 255).all() and (masked[1] != 255).any()


def stored(path: Path) -> tuple[StoredImage, np.ndarray[Any, Any]]:
    """An image of 4 shards, of which one chunk is absent."""
    values = np.random.default_rng(0).integers(0, 200, (3, 75, 90), np.uint8)
    spec = ImageSpec((Frame(("y", "x"), (75, 90), (1.0, 1.0)),), 3, "uint8", (48, 48), (16, 16), fill=255)
    image = StoredImage.create(path, spec)
    for box in image.frames[0].box.cut((48, 48)):
        hidden = np.zeros(box.shape, bool)
        if box.start == (0, 0):
            hidden[16:32, 16:32] = True
        block = np.ma.MaskedArray(values[(slice(None), *box.slices)], np.broadcast_to(hidden, (3, *box.shape)))
        image.write(0, box, block)
    values[:, 16:32, 16:32] = 255
    return image, values


def test_a_store_read_chunk_by_chunk_gives_what_was_written(tmp_path: Path) -> None:
    image, values = stored(tmp_path / "image")
    padded = np.pad(values, ((0, 0), (40, 60), (40, 60)), constant_values=255)
    places = np.random.default_rng(3).integers(-20, 88, (80, 2))
    for (y, x), patch in zip(places, read_patches(image, places, 20), strict=True):
        np.testing.assert_array_equal(patch, padded[:, y + 40 : y + 60, x + 40 : x + 60])


def test_each_shard_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tile_engine.stores import array

    opened: list[Path] = []

    def ranges(path: Path, *, whole: bool = False) -> Any:
        opened.append(path)
        return original(path, whole=whole)

    image, _ = stored(tmp_path / "image")
    original = array.ranges
    monkeypatch.setattr(array, "ranges", ranges)
    read_patches(image, np.random.default_rng(3).integers(0, 70, (80, 2)), 20)
    assert len(opened) == len(set(opened)) == 4


@pytest.mark.parametrize("damage", ["lost", "changed", "short"])
def test_damage_of_a_shard_is_an_error(tmp_path: Path, damage: str) -> None:
    image, _ = stored(tmp_path / "image")
    path = image.levels[0].shard_path((0, 1, 0))
    data = bytearray(path.read_bytes())
    if damage == "lost":
        path.unlink()
    elif damage == "changed":
        data[3] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(data[:20])
    with pytest.raises(CorruptError, match=r"missing|fails its checksum|cut short"):
        read_patches(image, np.array([[50, 2]]), 20)
    read_patches(image, np.array([[2, 2]]), 20)


def test_units_of_a_sample_have_several_shards_while_they_are_small() -> None:
    from tile_engine.engine.steps.sample.patches import shards_per_unit

    def spec(side: int, axes: int = 2, count: int = 20_000) -> ArraySpec:
        patch, names = (3, *(side,) * axes), ("n", "c", "z", "y", "x")
        return ArraySpec((count, *patch), "uint8", (1024, *patch), (64, *patch), names[: axes + 2])

    assert [shards_per_unit(spec(side)) for side in (32, 128, 192, 512)] == [4, 4, 2, 1]
    assert [shards_per_unit(spec(32, count=count)) for count in (2_000, 10_000)] == [1, 2], "workers share them"
    assert shards_per_unit(spec(16, axes=3)) == 1
