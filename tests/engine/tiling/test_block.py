"""Block: the same pixels, and the same ones lost, whoever reads the bands and in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.tiling.block import Block
from tile_engine.engine.tiling.samplers import grid
from tile_engine.engine.tiling.tile import Tiles
from tile_engine.stores.frame import Box
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.tile_reader import TileReader


class TiledSource(MemorySource):
    """A source that is read tile by tile, of 80 x 48 cells in rows; `read` is not to be asked."""

    def __init__(self, pixels: np.ndarray[Any, Any], broken: tuple[Box, ...]) -> None:
        super().__init__(pixels)
        self.tiles, self.lost = ((80, 48),), broken

    def read(self, box: Box, level: int = 0) -> np.ndarray[Any, Any]:
        raise AssertionError(f"{box} is read beside its tiles")

    def tile_reader(self, level: int = 0) -> TileReader:
        return TileReader((80, 48), (80, self.frames[0].shape[1]), self._decode)

    def _decode(self, tiles: Sequence[Box]) -> Iterator[np.ndarray[Any, Any] | None]:
        for tile in tiles:
            assert tile == tile.coarsen((80, 48)).refine((80, 48)) & self.frames[0].box, "whole tiles, inside the frame"
            lost = any((tile & one).size for one in self.lost)
            yield None if lost else self._levels[0][(slice(None), *tile.slices)]


@pytest.mark.parametrize("readers", [1, 4])
def test_a_block_read_tile_by_tile_has_the_same_pixels_and_loses_whole_tiles(readers: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1300, 130), np.uint8)
    source = TiledSource(pixels, broken=(Box((700, 60), (701, 61)),))
    tiles = Tiles.of(grid(Box((64, 0), (1280, 128)), (64, 64), (16, 16)))
    with Block(source, Box((48, -16), (1296, 144)), 0, nullcontext, readers) as block:
        sound, found = block.sound(tiles), np.empty((len(tiles), 3, 96, 96), np.uint8)
        block.cut(tiles, found)
    padded = np.pad(pixels, ((0, 0), (16, 16), (16, 16)), constant_values=255)
    for tile, (top, left) in zip(found[sound], tiles.starts[sound] + 16, strict=True):
        np.testing.assert_array_equal(tile, padded[:, top : top + 96, left : left + 96])
    lost = (tiles.starts < (720, 96)).all(1) & (tiles.stops > (640, 48)).all(1)
    np.testing.assert_array_equal(sound, ~lost)


@pytest.mark.parametrize("readers", [1, 4])
def test_bands_may_be_read_side_by_side(readers: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 2100, 64), np.uint8)
    source = MemorySource(pixels, broken=(Box((700, 0), (720, 64)),))
    tiles = Tiles.of(grid(Box((0, 0), (2048, 64)), (64, 64), (16, 16)))
    with Block(source, Box((-16, -16), (2080, 80)), 0, nullcontext, readers) as block:
        sound, found = block.sound(tiles), np.empty((len(tiles), 3, 96, 96), np.uint8)
        block.cut(tiles, found)
    padded = np.pad(pixels, ((0, 0), (16, 16), (16, 16)), constant_values=255)
    for tile, (top, left) in zip(found[sound], tiles.starts[sound] + 16, strict=True):
        np.testing.assert_array_equal(tile, padded[:, top : top + 96, left : left + 96])
    lost = (tiles.starts[:, 0] < 720) & (tiles.stops[:, 0] > 700)
    assert not sound[lost].any() and sound.any()
