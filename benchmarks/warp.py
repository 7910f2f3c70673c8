"""warp: a slide read through a displacement field, beside the same boxes read without one, in one run by turns.

plain    the file's own pixels, box after box
warped   the same boxes through an affine map and a field that bends by up to 60 um; one linear interpolation
stored   the same two, with each box written as a shard of OME-Zarr (zstd), as `convert` does
goals    warped / plain at least 0.8; a peak of less than 1 GB for a pair of 30,000 x 30,000 pixels

Seconds are CPU seconds of the process, so that other work on the machine does not count; the wall's are shown beside them.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from slides import arguments, cores, slide

from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage, pyramid
from tile_engine.stores.shard import Codec
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.warps.warp import Warp, WarpPart
from tile_engine.stores.warps.warped import Warped

BOX, CHUNK = 2048, 256
SIDE, QUICK = 30_720, 6_144
BEND_UM, GRID_UM = 60.0, 256.0


def field_warp(frame: Frame) -> Warp:
    """A turn by one degree, and a smooth field of up to `BEND_UM` on a grid of `GRID_UM`."""
    shape = tuple(int(n * s / GRID_UM) + 2 for n, s in zip(frame.shape, frame.spacing, strict=True))
    draw = np.random.default_rng(0)
    field = np.stack([ndimage.gaussian_filter(draw.normal(0, 1, shape), 4) for _ in range(2)])
    turn = np.deg2rad(1.0)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = np.array(frame.shape) * np.array(frame.spacing) / 2
    affine = np.hstack([matrix, (middle - matrix @ middle)[:, None]])
    grid = Frame(frame.axes, shape, (GRID_UM, GRID_UM), (-GRID_UM / 2,) * 2)
    return Warp((WarpPart(affine, (field / abs(field).max() * BEND_UM).astype(np.float32), grid),))


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=0, help="pixels a side of the slide")
    given = parser.parse_args()
    side = given.side or (QUICK if given.quick else SIDE)
    source: Any = open_slide(slide(side), None, "")
    frame = source.frames[0]
    warp = field_warp(frame)
    assert warp.folding == 0
    ways = {"plain": source, "warped": Warped(source, warp, (frame,))}
    folder = Path(tempfile.mkdtemp(dir=given.scratch))
    spec = ImageSpec(pyramid(frame), 3, "uint8", (BOX, BOX), (CHUNK, CHUNK), fill=255, codec=Codec("zstd"))
    stores = {name: StoredImage.create(folder / name, spec) for name in ways}
    spent = {f"{name}{more}": [0.0, 0.0] for name in ways for more in ("", ", stored")}
    boxes = list(frame.box.cut((BOX, BOX)))
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(boxes), 2 * cores()):
            group = boxes[start : start + 2 * cores()]
            for name, image in ways.items():
                for more, do in (
                    ("", lambda box, image=image: image.read(box)),
                    (", stored", lambda box, image=image, name=name: stores[name].write(0, box, image.read(box))),
                ):
                    began, cpu = time.perf_counter(), time.process_time()
                    list(pool.map(do, group))
                    spent[f"{name}{more}"][0] += time.process_time() - cpu
                    spent[f"{name}{more}"][1] += time.perf_counter() - began
    show(side, spent, frame.box)
    shutil.rmtree(folder)


def show(side: int, spent: dict[str, list[float]], box: Box) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{side} x {side} pixels, boxes of {BOX}, {cores()} threads; peak {peak:.2f} GB\n")
    print("| | CPU s | wall s | MPix a CPU second |\n|---|---|---|---|")
    for name, (cpu, wall) in spent.items():
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {box.size / 1e6 / cpu:.0f} |")
    for more in ("", ", stored"):
        ratio = [spent[f"plain{more}"][i] / spent[f"warped{more}"][i] for i in (0, 1)]
        print(f"\nwarped / plain{more}: {ratio[0]:.2f} of the speed by CPU, {ratio[1]:.2f} by the wall")


if __name__ == "__main__":
    main()
