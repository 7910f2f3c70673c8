"""sample: patches a second from the engine's reads, beside OpenSlide asked for one patch after another.

openslide   `read_region` of each patch, in the order they were drawn, in one thread as such loops are written
slide       `read_patches` from the slide itself, `store` from the slide converted: in the order of blocks, a thread a core
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from slides import BIG, SMALL, arguments, rounds, slide, stored, table

from tile_engine.engine.job import load
from tile_engine.engine.runs.sample import BLOCK, PER_SHARD, read_patches
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
        rates = rounds(
            {
                "OpenSlide, one by one": lambda: openslide_rate(slide(side), places),
                "from the slide": lambda: timed(open_slide(slide(side)), places),
                "from the store": lambda: timed(job.image(name), places),
            },
            given.repeat,
        )
    finally:
        shutil.rmtree(run.out)
    base = rates["OpenSlide, one by one"]
    rows = [
        (name, f"{rate:.0f}", f"{rate / base:.1f}", "5" if name.startswith("from") else "")
        for name, rate in rates.items()
    ]
    table(
        f"sample, {given.patches} random patches of {SIDE} x {SIDE} out of {side} x {side} pixels",
        ("work", "patches/s", "times OpenSlide", "goal"),
        rows,
    )


def openslide_rate(path: Path, places: Any) -> float:
    import openslide

    with openslide.OpenSlide(path) as source:
        began = time.perf_counter()
        for y, x in places.tolist():
            np.asarray(source.read_region((x, y), 0, (SIDE, SIDE)).convert("RGB"))
        return len(places) / (time.perf_counter() - began)


def timed(source: Any, places: Any) -> float:
    """As the step `patches` does it: places sorted by block, then read a shard's worth at a time."""
    began = time.perf_counter()
    ordered = places[np.lexsort((*(places // BLOCK).T[::-1],))]
    parts = [ordered[at : at + PER_SHARD] for at in range(0, len(ordered), PER_SHARD)]
    count = sum(len(read_patches(source, part, SIDE)) for part in parts)
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
