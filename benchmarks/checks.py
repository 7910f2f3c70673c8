"""checks: what looking for damage, absent tiles and false levels costs a clean slide, as parts of its conversion in one run.

with      `convert` as it is, in this process
without   the same, where JPEG tiles are decoded by imagecodecs, which notices no damage, and no tile counts as absent
levels    the check of levels, which is made once for each slide, when it is inspected: an opening with it less one without
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import imagecodecs
from slides import BIG, SMALL, arguments, slide, table

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.compute.resources import resources
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.stores.slides import tiff_segments
from tile_engine.stores.slides.level_check import recorded_levels, true_levels
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.tiff_reader import TiffPixels

GOAL = 0.05


def main() -> None:
    given = arguments(__doc__.splitlines()[0]).parse_args()
    path = slide(SMALL if given.quick else BIG)
    found: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    levels: list[tuple[tuple[float, float], ...]] = []
    for number in range(given.repeat + 1):  # the first round warms up
        levels.append(level_check(path))
        for name in found:
            with nothing_checked() if name == "without" else as_it_is():
                found[name].append(converted(path, given.scratch))
            print(f"  {name}: {found[name][-1][0]:.1f} s, {found[name][-1][1]:.1f} s of processor", file=sys.stderr)
        if not number:
            found, levels = {name: [] for name in found}, []
    wall, busy = ({name: median(one[i] for one in pairs) for name, pairs in found.items()} for i in (0, 1))
    check, opened, recorded = (tuple(median(one[way][i] for one in levels) for i in (0, 1)) for way in range(3))
    rows = [
        ("convert without the checks", f"{wall['without']:.2f}", "1", f"{busy['without']:.2f}", "1"),
        ("convert with them", f"{wall['with']:.2f}", share(wall), f"{busy['with']:.2f}", share(busy)),
        (
            "check of levels, once a slide",
            f"{check[0]:.3f}",
            f"+{check[0] / wall['without']:.3f}",
            f"{check[1]:.3f}",
            f"+{check[1] / busy['without']:.3f}",
        ),
        ("opening with that check", f"{opened[0]:.3f}", "", f"{opened[1]:.3f}", ""),
        ("opening by the record", f"{recorded[0]:.3f}", "", f"{recorded[1]:.3f}", ""),
        ("goal", "", f"{1 + GOAL}", "", f"{1 + GOAL}"),
    ]
    table("overhead of the checks", ("work", "seconds", "ratio", "processor seconds", "ratio"), rows)


def share(seconds: dict[str, float]) -> str:
    return f"{seconds['with'] / seconds['without']:.3f}"


@contextmanager
def as_it_is() -> Iterator[None]:
    yield


@contextmanager
def nothing_checked() -> Iterator[None]:
    def decoder(tables: bytes | None, colorspace: int | None, samples: int) -> Callable[[bytes], Any]:
        out = 2 if samples == 3 else 1
        return lambda data: imagecodecs.jpeg8_decode(data, tables=tables, colorspace=colorspace, outcolorspace=out)

    strict, absent = tiff_segments.strict_decoder, TiffPixels.absent
    tiff_segments.strict_decoder = decoder
    TiffPixels.absent = lambda *_: []  # type: ignore[method-assign]
    try:
        yield
    finally:
        tiff_segments.strict_decoder, TiffPixels.absent = strict, absent  # type: ignore[method-assign]


def converted(path: Path, scratch: Path) -> tuple[float, float]:
    """Seconds and processor seconds of a conversion in this process."""
    out = scratch / f"checks-{os.getpid()}"
    resources().close()  # slides that an earlier round opened have its decoder
    began, busy = time.perf_counter(), time.process_time()
    try:
        cluster(path, out, options=RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",)))
        return time.perf_counter() - began, time.process_time() - busy
    finally:
        shutil.rmtree(out, ignore_errors=True)


def level_check(path: Path) -> tuple[tuple[float, float], ...]:
    """(seconds, processor seconds) of the check of levels, of an opening with it, and of one by the record."""
    with open_slide(path) as first:
        kept = recorded_levels(first.reader, first.levels)
    found = []
    for check in (true_levels, kept):
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(5):
            open_slide(path, check=check).close()
        found.append(((time.perf_counter() - began) / 5, (time.process_time() - busy) / 5))
    (a, b), (c, d) = found
    return (a - c, b - d), (a, b), (c, d)


if __name__ == "__main__":
    main()
