"""Slides to measure on: pyramidal JPEG TIFFs of any size, made once from the seed alone and kept in `.bench/`.

```text
tiles 256 x 256, JPEG quality 80, 4:2:0 (as the public Aperio slides are), levels / 1, / 4 and / 16, 0.5 um a pixel
tissue: scikit-image's IHC section, mirrored, shifted, stained anew for every 1024 x 1024 field; about 70 % of the slide
glass:  bright, with a little noise; the rest
```
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tile_engine.engine.api.run import Run

Array = npt.NDArray[np.uint8]
Clock = Callable[[], float]
Seconds = npt.NDArray[np.float64]

BIG, SMALL = 16_384, 6_144
"""Pixels a side of the slide that the goals are about, and of the one for a quick look."""
TILE, FIELD = 256, 1024
SPACING = 0.5
CACHE = Path(__file__).resolve().parent.parent / ".bench"


def slide(side: int, *, seed: int = 0) -> Path:
    """Path of the slide of `side` pixels a side, made now if it is not there: half a minute for the big one."""
    path = CACHE / f"slide-{side}-{seed}.tif"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        from tile_engine.stores.files import partial_path

        partial = partial_path(path)
        _write(partial, side, seed)
        partial.replace(path)
    return path


def wide_slide(height: int, width: int, *, seed: int = 0) -> Path:
    """Path of a slide of any shape, made in seconds: its tiles are drawn from a few that were encoded once."""
    path = CACHE / f"wide-{height}x{width}-{seed}.tif"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        from tile_engine.stores.files import partial_path

        partial = partial_path(path)
        _write_wide(partial, (height, width), seed)
        partial.replace(path)
    return path


def _write_wide(path: Path, shape: tuple[int, int], seed: int) -> None:
    import tifffile

    from tile_engine.engine.show.encoded import jpeg

    pool = _pool(seed)
    rows, columns = (-(-n // TILE) for n in shape)
    tissue = _tissue(max(rows, columns), seed)[:rows, :columns]
    chosen = np.where(tissue, np.random.default_rng(seed).integers(1, len(pool), tissue.shape), 0)  # 0: glass
    levels, means = [], pool
    for factor in (4, 16, 64):
        means = np.stack([_mean(tile, 4) for tile in means])
        side = TILE // factor
        level = means[chosen].transpose(0, 2, 1, 3, 4).reshape(rows * side, columns * side, 3)
        levels.append((factor, level[: -(-shape[0] // factor), : -(-shape[1] // factor)]))
    common: dict[str, Any] = {"tile": (TILE, TILE), "compression": "jpeg", "metadata": None, "dtype": np.uint8}
    common |= {"photometric": "ycbcr", "subsampling": (2, 2), "resolutionunit": "CENTIMETER"}
    encoded = [jpeg(tile) for tile in pool]
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiles = (encoded[i] for i in chosen.ravel().tolist())
        tiff.write(tiles, shape=(*shape, 3), resolution=(1e4 / SPACING,) * 2, **common)
        for factor, level in levels:
            whole = np.pad(level, [(0, -n % TILE) for n in level.shape[:2]] + [(0, 0)], mode="edge")
            corners = product(*(range(0, n, TILE) for n in whole.shape[:2]))
            parts = [jpeg(np.ascontiguousarray(whole[y : y + TILE, x : x + TILE])) for y, x in corners]
            tiff.write(
                iter(parts), shape=level.shape, subfiletype=1, resolution=(1e4 / SPACING / factor,) * 2, **common
            )


def _pool(seed: int) -> Array:
    """Tiles (n, y, x, 3): one of glass, and some of tissue."""
    section = _section()
    fields = [_field(section, (i, 0), seed) for i in range(4)]
    crops = [field[y : y + TILE, x : x + TILE] for field in fields for y in (0, 256, 640) for x in (100, 512, 768)]
    glass = np.random.default_rng(seed).integers(238, 244, (TILE, TILE, 1), np.uint8)
    return np.stack([np.repeat(glass, 3, axis=2), *crops])


def _write(path: Path, side: int, seed: int) -> None:
    import tifffile

    small = np.empty((side // 4, side // 4, 3), np.uint8)
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for factor in (1, 4, 16):
            shape = (side // factor, side // factor, 3)
            tiff.write(
                _tiles(side, seed, small) if factor == 1 else small if factor == 4 else _mean(small, 4),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 80},
                subfiletype=int(factor > 1),
                resolution=(1e4 / SPACING / factor,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def _tiles(side: int, seed: int, small: Array) -> Iterator[Array]:
    """Tiles of the finest level in the file's order; their means by 4 are put into `small` on the way."""
    tissue = _tissue(side // TILE, seed)
    section = _section()
    for top in range(0, side, FIELD):
        row = np.concatenate([_field(section, (top, left), seed) for left in range(0, side, FIELD)], axis=1)
        for y in range(top, min(top + FIELD, side), TILE):
            for x in range(0, side, TILE):
                tile = row[y - top : y - top + TILE, x : x + TILE]
                if not tissue[y // TILE, x // TILE]:
                    noise = np.random.default_rng((seed, y, x)).integers(238, 244, (TILE, TILE, 1), np.uint8)
                    tile = np.broadcast_to(noise, tile.shape)
                small[y // 4 : (y + TILE) // 4, x // 4 : (x + TILE) // 4] = _mean(tile, 4)
                yield np.ascontiguousarray(tile)


def _tissue(cells: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which tiles hold tissue: the upper 70 % of a slow random field."""
    from scipy.ndimage import zoom

    waves = np.random.default_rng((seed, 1)).normal(0, 1, (6, 6))
    height = zoom(waves, cells / 6, order=3, mode="nearest")[:cells, :cells]
    return np.asarray(height > np.quantile(height, 0.3))


def _section() -> Array:
    """The section and its mirror images, 1024 x 1024: it goes on over every edge."""
    import skimage.data

    section: Array = skimage.data.immunohistochemistry()
    half = np.concatenate([section, section[:, ::-1]], axis=1)
    return np.concatenate([half, half[::-1]])


def _field(section: Array, corner: tuple[int, int], seed: int) -> Array:
    rng = np.random.default_rng((seed, 2, *corner))
    turned = np.rot90(np.roll(section, rng.integers(0, FIELD, 2), (0, 1)), rng.integers(4))
    strength = rng.uniform(0.7, 1.2, 3)  # of each channel's optical density
    table = np.rint(255 * (np.arange(256)[:, None] / 255) ** strength).astype(np.uint8)
    return np.stack([table[turned[..., c], c] for c in range(3)], axis=-1)


def _mean(pixels: Array, factor: int) -> Array:
    import cv2

    size = (pixels.shape[1] // factor, pixels.shape[0] // factor)
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), np.uint8)


def arguments(text: str) -> argparse.ArgumentParser:
    """What all the measurements take."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--quick", action="store_true", help=f"a slide of {SMALL} pixels a side instead of {BIG}")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; each figure is the median, rounds take turns")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=CACHE,
        help="folder for what is written and removed again; /dev/shm leaves the disk out",
    )
    return parser


def rounds(measures: dict[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """The median of each measure; they take turns, so that a busy moment of the machine falls on all of them."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(repeat):
        for name, measure in measures.items():
            found[name].append(measure())
            print(f"  {name}: {found[name][-1]:.1f}", file=sys.stderr)
    return {name: median(values) for name, values in found.items()}


def clocks() -> Seconds:
    """Time and processor time: a rate by the second is what other work on the machine leaves alone."""
    return np.array([time.perf_counter(), time.process_time()])


def compare(measures: dict[str, Callable[[], Seconds]], repeat: int) -> list[tuple[str, ...]]:
    """Rows of a table: each measure's rates by both clocks, and how they compare with the first's. Rounds take turns."""
    found: dict[str, list[Seconds]] = {name: [] for name in measures}
    for _ in range(repeat):
        for name, measure in measures.items():
            found[name].append(measure())
    rates = {name: np.median(values, axis=0) for name, values in found.items()}
    first = next(iter(rates.values()))
    return [
        (name, f"{a:.0f}", f"{a / first[0]:.2f}", f"{b:.0f}", f"{b / first[1]:.2f}") for name, (a, b) in rates.items()
    ]


def stored(path: Path, scratch: Path, **settings: Any) -> Run:
    """The slide converted with the engine's defaults, or with `settings`; removed by whoever asked for it."""
    from tile_engine.engine.api.commands import cluster
    from tile_engine.engine.runtime.options import RunOptions

    return cluster(path, scratch / f"run-{os.getpid()}", options=RunOptions(stages=("convert",)), **settings)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title} - {time.strftime('%Y-%m-%d')}, {cores()} cores, Python {platform.python_version()}\n")
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, tuple("-" * w for w in widths), *rows]:
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the slides, and say where they are.")
    parser.add_argument("--side", type=int, action="append", help=f"pixels a side (default: {SMALL} and {BIG})")
    for side in parser.parse_args().side or (SMALL, BIG):
        path = slide(side)
        print(f"{path}  {path.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
