"""sample: patches a second from the engine's reads, beside OpenSlide asked for one patch after another.

openslide   `read_region` of each patch, in the order they were drawn, in one thread as such loops are written
slide       `read_patches` from the slide itself, `store` from the slide converted: as the step reads them, a thread a core
limit       what no way of reading exceeds: all tiles that the patches touch, decoded once each on all cores, and not copied
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from slides import BIG, SMALL, Seconds, arguments, clocks, compare, cores, slide, stored, table

from tile_engine.engine.compute.resources import resources
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.sample.patches import PER_SHARD, SHARDS_PER_UNIT
from tile_engine.engine.steps.sample.read import BLOCK, read_patches
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide

SIDE = 128
OF_LIMIT = ("of its limit (goal 0.8)", "by processor time")


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=10_000)
    given = parser.parse_args()
    side = SMALL if given.quick else BIG
    places = np.random.default_rng(0).integers(0, side - SIDE, (given.patches, 2))
    run = stored(slide(side), given.scratch)
    job = load(run.out)
    (name,) = job.slides
    try:
        source = open_slide(slide(side))
        work: dict[str, Callable[[], Seconds]] = {
            "OpenSlide, one by one": lambda: openslide_rate(slide(side), places),
            "limit of the slide": lambda: limit(source, places),
            "from the slide": lambda: timed(source, places),
            "limit of the store": lambda: limit(job.image(name), places),
            "from the store": lambda: timed(job.image(name), places),
        }
        rows = compare(work, given.repeat)
    finally:
        shutil.rmtree(run.out)
    limits = {row[0].rpartition(" ")[2]: row for row in rows if row[0].startswith("limit")}
    rows = [(*row, *of_limit(row, limits.get(row[0].rpartition(" ")[2], row))) for row in rows]
    head = ("work", "patches/s", "of the first (goal 5)", "patches a processor second", "of the first", *OF_LIMIT)
    table(f"sample, {given.patches} random patches of {SIDE} x {SIDE} out of {side} x {side} pixels", head, rows)


def openslide_rate(path: Path, places: Any) -> Seconds:
    import openslide

    with openslide.OpenSlide(path) as source:
        began = clocks()
        for y, x in places.tolist():
            np.asarray(source.read_region((x, y), 0, (SIDE, SIDE)).convert("RGB"))
        return len(places) / (clocks() - began)


def of_limit(row: tuple[str, ...], limit: tuple[str, ...]) -> tuple[str, str]:
    """A measure's rates in parts of its limit's, by both clocks; empty for what has no limit."""
    if limit is row:
        return "", ""
    return f"{float(row[1]) / float(limit[1]):.2f}", f"{float(row[3]) / float(limit[3]):.2f}"


def limit(source: Any, places: Any) -> Seconds:
    """Every tile that some patch touches, decoded once."""
    reader = source.tile_reader()
    size = np.array(reader.tile)
    touched = np.zeros(-(-np.array(source.frames[0].shape) // size), bool)
    for low, high in zip(places // size, (places + SIDE - 1) // size + 1, strict=True):
        touched[low[0] : high[0], low[1] : high[1]] = True

    def decode(group: Box) -> int:
        tiles = [tile for tile in group.cut(reader.tile) if touched[tuple(np.array(tile.start) // size)]]
        return sum(pixels is not None for pixels in reader.decode(tiles))

    groups = list(source.frames[0].box.cut(reader.group))
    began = clocks()
    with ThreadPoolExecutor(cores()) as pool:
        if sum(pool.map(decode, groups)) != touched.sum():
            raise ValueError("some tiles cannot be decoded, so the limit would be too high")
    return len(places) / (clocks() - began)


def timed(source: Any, places: Any) -> Seconds:
    """As the step `patches` does it: places sorted by block, then read a unit's worth at a time into one memory."""
    began = clocks()
    ordered = places[np.lexsort((*(places // BLOCK).T[::-1],))]
    unit = PER_SHARD * SHARDS_PER_UNIT
    for at in range(0, len(ordered), unit):
        part = ordered[at : at + unit]
        with resources().memory.array((len(part), source.channels, SIDE, SIDE), source.dtype) as out:
            read_patches(source, part, SIDE, out=out)
    return len(places) / (clocks() - began)


if __name__ == "__main__":
    sys.exit(main())
