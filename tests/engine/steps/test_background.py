"""What a network sees of a patch on an edge: the same pixels in training and in apply, whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.apply import plan_of
from tile_engine.engine.steps.background import BackgroundFiller, background_filler
from tile_engine.engine.steps.sample.patches import drawn, patch_units, samples_slides, write_patches
from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.plan import unchanged
from tile_engine.stores.array import StoredArray
from tile_engine.stores.frame import Box

GLASS = 240


def planted() -> tuple[np.ndarray, BackgroundFiller]:
    """A slide (3, 128, 128) whose tissue ends at x = 72; its mask, of cells of 16 pixels, ends at x = 80."""
    pixels = np.random.default_rng(0).integers(60, 180, (3, 128, 128), np.uint8)
    pixels[:, :, 72:] = GLASS
    mask = Mask(np.broadcast_to(np.arange(8) < 5, (8, 8)), (16, 16), (128, 128))
    return pixels, BackgroundFiller(mask, np.full(3, float(GLASS)), 80.0)


def cut(pixels: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.stack([pixels[:, y : y + 32, x : x + 32] for y, x in starts.tolist()])


def test_no_glass_is_left_in_a_patch_on_the_edge_and_a_whole_patch_stays_as_it_is() -> None:
    pixels, fill = planted()
    starts = np.array([[0, 56], [16, 64], [32, 40]])
    filled = fill(cut(pixels, starts), starts)
    assert filled.max() < GLASS
    np.testing.assert_array_equal(filled[2], cut(pixels, starts)[2])


def test_beyond_the_image_is_background() -> None:
    pixels, fill = planted()
    patch = np.full((1, 3, 32, 32), 255, np.uint8)
    patch[0, :, 8:, 16:] = pixels[:, :24, :16]
    assert fill(patch, np.array([[-8, -16]])).max() < GLASS


def test_a_patch_is_filled_alike_in_every_batch() -> None:
    pixels, fill = planted()
    starts = np.array([[y, x] for y in (0, 17, 60) for x in (3, 44, 50, 61, 66)])
    together = fill(cut(pixels, starts), starts)
    for i in range(len(starts)):
        np.testing.assert_array_equal(fill(cut(pixels, starts[i : i + 1]), starts[i : i + 1])[0], together[i])


def test_patches_to_train_on_are_filled_as_those_that_the_network_is_applied_to(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("cluster", "slides").copy(tmp_path / "out"))
    owners, places = drawn(job)
    places[:, 0] = -8  # every patch reaches beyond its slide
    array = StoredArray.open(job.folder.samples / "place")
    array.write(Box((0, 0), places.shape), places)
    for unit in patch_units(job, "patches"):
        write_patches(job, unit)
    stored = StoredArray.open(job.folder.samples / "patches").read_all()
    for owner, slide in enumerate(samples_slides(job)):
        mine = owners == owner
        raw = read_patches(job.image(slide), places[mine], job.settings.side)
        filled = plan_of(job, slide).prepare(raw.copy(), places[mine])
        assert (raw != filled).any((1, 2, 3)).all()
        np.testing.assert_array_equal(stored[mine], filled)


def test_the_background_of_volumes_stays_as_it_is(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "volumes").out)
    assert background_filler(job, next(iter(job.slides))) is unchanged
