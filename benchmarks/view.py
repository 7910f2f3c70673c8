"""view: tiles of a slide as the viewer's page asks for them, over connections of this machine, one by one and many at once.

picture  JPEG tiles of 512 pixels of a stored slide, at all its reductions, each for the first time
again    the same tiles, which the server has kept
clusters PNG tiles of a run with clusters, at random levels of the tree (`--out RUN`)
wide     the first two of a slide of any shape, read from its own file, as in a run of `--pixels none` (`--shape 30000x40000`)
goal     at most 50 ms a tile at the median
"""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from slides import BIG, SMALL, arguments, cores, slide, stored, table, wide_slide

from tile_engine.engine.api.viewing import make_server
from tile_engine.engine.view.server import Server

MOST = 400
"""Tiles of one measurement, at most."""
AT_ONCE = 6
"""Tiles that a browser asks for at the same time."""


class Browser:
    """Connections that stay open, one a thread."""

    def __init__(self, server: Server) -> None:
        self.server, self.local = server, threading.local()

    def ask(self, path: str) -> float:
        """Seconds of one answer."""
        began = time.perf_counter()
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        self.local.connection.request("GET", path, headers={"Cookie": f"{self.server.cookie}={self.server.token}"})
        answer = self.local.connection.getresponse()
        assert answer.read() and answer.status == 200, path
        return time.perf_counter() - began


def measured(name: str, browser: Browser, paths: Iterable[str]) -> list[tuple[str, ...]]:
    """Rows of one measurement: one after the other, and at once."""
    paths, rows = list(paths), []
    half = len(paths) // 2
    for how, some, threads in (("one by one", paths[:half], 1), (f"{AT_ONCE} at once", paths[half:], AT_ONCE)):
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            spent = list(pool.map(browser.ask, some))
        wall = time.perf_counter() - began
        last = quantiles(spent, n=20)[-1]
        figures = (f"{1e3 * median(spent):.1f}", f"{1e3 * last:.1f}", f"{len(some) / wall:.0f}")
        rows.append((name, how, str(len(some)), *figures))
    return rows


def tiles_of(document: dict[str, list[int]], kind: str, side: int = 512) -> list[str]:
    """Addresses of all tiles of a picture or overlay."""
    found, z = [], 0
    while True:
        rows, columns = (-(-n // 2**z // side) for n in document["shape"])
        base = f"/api/runs/0/images/0/{kind}/{document['number']}/tile"
        found += [f"{base}?z={z}&y={y}&x={x}" for y in range(rows) for x in range(columns)]
        if rows == columns == 1:
            return found
        z += 1


def _made(given: Any) -> Path:
    """A run of a slide of its own, as far as its tissue."""
    if not given.shape:
        return stored(slide(SMALL if given.quick else BIG), given.scratch).out
    height, width = map(int, given.shape.split("x"))
    return stored(wide_slide(height, width), given.scratch, pixels="none").out


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, help="a finished run of `run cluster` on slides, in place of a slide of its own"
    )
    parser.add_argument(
        "--shape", help="height x width in pixels, such as 30000x40000: a slide that is read from its own file"
    )
    given = parser.parse_args()
    out = given.out or _made(given)
    server = make_server(out, read_only=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    from tile_engine.engine.view.overview import image_document

    document, tree = image_document(server.viewer, 0, 0), server.viewer.tree(0)
    browser, draw = Browser(server), np.random.default_rng(0)
    paths = draw.permutation(tiles_of(document["pictures"][0], "pictures"))[:MOST].tolist()
    rows = measured("picture", browser, paths) + measured("again", browser, paths)
    if tree is not None:
        paths = draw.permutation(tiles_of(document["overlays"][0], "overlays") * MOST)[:MOST].tolist()
        levels = draw.choice(list(tree.levels), len(paths)).tolist()
        rows += measured("clusters", browser, [f"{p}&k={k}" for p, k in zip(paths, levels, strict=True)])
    server.shutdown()
    server.server_close()
    if given.out is None:
        shutil.rmtree(out)
    shape = " x ".join(map(str, document["pictures"][0]["shape"]))
    table(
        f"{shape} pixels, {cores()} cores", ("tiles", "asked for", "count", "ms, median", "ms, 95 %", "tiles/s"), rows
    )


if __name__ == "__main__":
    main()
