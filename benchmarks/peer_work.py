"""The work of one peer, done by its own interpreter: numpy and the peer's packages are all that this imports.

```text
python peer_work.py '{"work": "read", "peer": "tiffslide", "slide": ..., "places": ..., "threads": 2, "told": ...}'
```

`told` is the JSON file of what was found: the version, and of reads the seconds by both clocks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Read = Callable[[int, int, int], Any]
"""Pixels (side, side, 3) of the finest level at (y, x, side)."""
SCALES, CHUNK, BLOCK = [2, 4, 8, 16, 32], 256, 2048
COMPARED = 16
"""Patches that are kept, so that the caller sees whether all readers give the same pixels."""


def openslide(path: str) -> Read:
    from openslide import OpenSlide

    slide = OpenSlide(path)
    return lambda y, x, side: np.asarray(slide.read_region((x, y), 0, (side, side)).convert("RGB"))


def tiffslide(path: str) -> Read:
    from tiffslide import TiffSlide

    slide = TiffSlide(path)
    return lambda y, x, side: slide.read_region((x, y), 0, (side, side), as_array=True)


def fastslide(path: str) -> Read:
    from fastslide import FastSlide

    slide = FastSlide.from_file_path(path)
    return lambda y, x, side: slide.read_region((x, y), 0, (side, side)).numpy()


def tile_engine(path: str) -> Read:
    from tile_engine.stores.frame import Box

    source = source_of(path)
    return lambda y, x, side: np.moveaxis(source.read(Box((y, x), (y + side, x + side))), 0, -1)


def source_of(path: str) -> Any:
    """The slide itself, or its store in the folder of a run."""
    from tile_engine.engine.runtime.load import load
    from tile_engine.stores.slides.reader import open_slide

    if not Path(path).is_dir():
        return open_slide(Path(path))
    job = load(Path(path))
    return job.image(next(iter(job.slides)))


READERS: dict[str, tuple[str, Callable[[str], Read]]] = {
    "openslide": ("openslide-python", openslide),
    "tiffslide": ("tiffslide", tiffslide),
    "fastslide": ("fastslide", fastslide),
    "tile-engine": ("tile-engine", tile_engine),
}


def read(peer: str, slide: str, places: str, side: int, threads: int, told: str) -> dict[str, Any]:
    """Patches at places (n, 2: y, x) one after another in `threads` threads; 0: by `read_patches`, as the engine does."""
    package, opened = READERS[peer]
    pixels, where = opened(slide), np.load(places)
    some = where[:: -(-len(where) // COMPARED)].tolist()
    kept = np.stack([pixels(y, x, side) for y, x in some])  # whatever is loaded at first use is loaded now
    np.save(Path(told).with_suffix(".npy"), kept)
    work = in_blocks(slide, where, side) if threads == 0 else one_by_one(opened(slide), where, side, threads)
    began = np.array([time.perf_counter(), time.process_time()])
    work()
    seconds = np.array([time.perf_counter(), time.process_time()]) - began
    return {"version": version_of(package), "seconds": seconds.tolist()}


def one_by_one(pixels: Read, places: Any, side: int, threads: int) -> Callable[[], None]:
    def work() -> None:
        if threads == 1:
            for y, x in places.tolist():
                pixels(y, x, side)
            return
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda place: pixels(*place, side).shape, places.tolist()):
                pass

    return work


def in_blocks(slide: str, places: Any, side: int) -> Callable[[], None]:
    """As the engine's steps read: sorted by block, a shard of patches at a time, a thread a core."""
    from tile_engine.engine.steps.sample import patches, read

    source = source_of(slide)

    def work() -> None:
        ordered = places[np.lexsort((*(places // read.BLOCK).T[::-1],))]
        for at in range(0, len(ordered), patches.PER_SHARD):
            read.read_patches(source, ordered[at : at + patches.PER_SHARD], side)

    return work


def lazily(slide: str) -> Any:
    """The finest level (c, y, x) as a dask array over tifffile's store, in chunks that the file's tiles divide."""
    import dask.array
    import tifffile

    pixels = dask.array.from_zarr(tifffile.imread(slide, level=0, aszarr=True), chunks=(BLOCK, BLOCK, 3))
    return pixels.transpose(2, 0, 1)


def with_ngff_zarr(slide: str, out: str) -> None:
    import ngff_zarr

    image = ngff_zarr.to_ngff_image(lazily(slide), dims=["c", "y", "x"], scale={"c": 1.0, "y": 0.5, "x": 0.5})
    levels = ngff_zarr.to_multiscales(image, scale_factors=SCALES, chunks=CHUNK)
    ngff_zarr.to_ngff_zarr(out, levels, version="0.5")


def with_ome_zarr(slide: str, out: str) -> None:
    from ome_zarr.writer import write_image

    size = {"y": 0.5, "x": 0.5}
    write_image(
        lazily(slide), out, axes="cyx", scale_factors=SCALES, scale=size, storage_options={"chunks": (3, CHUNK, CHUNK)}
    )


WRITERS = {"ngff-zarr": ("ngff-zarr", with_ngff_zarr), "ome-zarr-py": ("ome-zarr", with_ome_zarr)}


def convert(peer: str, slide: str, out: str, told: str) -> dict[str, Any]:
    package, write = WRITERS[peer]
    write(slide, out)
    return {"version": version_of(package)}


def version_of(package: str) -> str:
    if package == "tile-engine":
        from tile_engine.version import VERSION

        return VERSION
    return version(package)


def main() -> None:
    asked = json.loads(sys.argv[1])
    work = {"read": read, "convert": convert}[asked.pop("work")]
    Path(asked["told"]).write_text(json.dumps(work(**asked)))


if __name__ == "__main__":
    main()
