"""sample: patches a second from the engine's reads, beside OpenSlide asked for one patch after another.

openslide   `read_region` of each patch, in the order they were drawn, in one thread as such loops are written
slide       `read_patches` from the slide itself, `store` from the slide converted: in the order of blocks, a thread a core
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from slides import BIG, SMALL, Seconds, arguments, clocks, compare, slide, stored, table

from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.sample.patches import PER_SHARD
from tile_engine.engine.steps.sample.read import BLOCK, read_patches
from tile_engine.stores.slides.reader import open_slide

SIDE = 128


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
            "from the slide": lambda: timed(source, places),
            "from the store": lambda: timed(job.image(name), places),
        }
        rows = compare(work, given.repeat)
    finally:
        shutil.rmtree(run.out)
    head = ("work", "patches/s", "of the first (goal 5)", "patches a processor second", "of the first")
    table(f"sample, {given.patches} random patches of {SIDE} x {SIDE} out of {side} x {side} pixels", head, rows)


def openslide_rate(path: Path, places: Any) -> Seconds:
    import openslide

    with openslide.OpenSlide(path) as source:
        began = clocks()
        for y, x in places.tolist():
            np.asarray(source.read_region((x, y), 0, (SIDE, SIDE)).convert("RGB"))
        return len(places) / (clocks() - began)


def timed(source: Any, places: Any) -> Seconds:
    """As the step `patches` does it: places sorted by block, then read a shard's worth at a time."""
    began = clocks()
    ordered = places[np.lexsort((*(places // BLOCK).T[::-1],))]
    parts = [ordered[at : at + PER_SHARD] for at in range(0, len(ordered), PER_SHARD)]
    count = sum(len(read_patches(source, part, SIDE)) for part in parts)
    return count / (clocks() - began)


if __name__ == "__main__":
    sys.exit(main())
