"""cohort: what a run keeps in its documents, and what that costs with many slides and many units.

documents   run.json and slides.json of so many slides: bytes, and what every worker does: read and check them
slide       the files that a slide of 40,000 x 50,000 pixels leaves, and the bytes of its layers before compression
receipts    what a unit adds to its work: writing its receipt (fsync included), finding it again, listing a slide's
Seconds are processor seconds (other work on the machine hardly touches them), but for the receipts, which wait for the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
import tracemalloc
from pathlib import Path
from typing import Any

from slides import CACHE, table

from tile_engine.engine.images.modality import SLIDES
from tile_engine.engine.pipeline.documents import write_run
from tile_engine.engine.pipeline.fingerprints import fingerprints
from tile_engine.engine.pipeline.image_documents import write_images, write_rejected
from tile_engine.engine.pipeline.record import ImageRecord, InspectedCohort, digest
from tile_engine.engine.runs import pipeline
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.manifest import manifest
from tile_engine.stores.array import Written
from tile_engine.stores.files import checksum, write_whole
from tile_engine.stores.folder import Folder
from tile_engine.stores.image import pyramid
from tile_engine.stores.receipts import Ledger


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slides", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--units", type=int, default=1_000)
    parser.add_argument("--scratch", type=Path, default=CACHE)
    given = parser.parse_args()
    out = given.scratch / f"cohort-{os.getpid()}"
    try:
        table("one slide of 40,000 x 50,000 pixels", ("what", "files", "MB before compression"), files_of_one())
        rows = [documents(out / str(n), n) for n in given.slides]
        head = (
            "slides",
            "slides.json, MB",
            "write, s",
            "load, s",
            "again after a step, s",
            "memory once loaded, MiB",
            "fingerprints, s",
        )
        table(f"documents, load {os.getloadavg()[0]:.1f}", head, rows)
        table(
            f"receipts of {given.units:,} units with four files each, load {os.getloadavg()[0]:.1f}",
            ("", "ms a unit, by the clock", "ms a unit, processor"),
            receipts(out, given.units),
        )
    finally:
        shutil.rmtree(out, ignore_errors=True)


def record(number: int) -> ImageRecord:
    name = f"site-{number % 40:02d}/patient-{number // 4:07d}/section-{number % 4}.svs"
    return ImageRecord(
        id=f"section-{number % 4}-{digest(name)[:8]}",
        name=name,
        path=f"/data/cohort/{name}",
        fingerprint=digest(number),
        mpp=None,
        subject=f"patient-{number // 4:07d}",
        site=f"site-{number % 40:02d}",
        columns={},
        reader="aperio",
        native_spacing=0.2498,
        native_shape=(80_000, 100_000),
        channels=3,
        dtype="uint8",
        background=255,
        shape=(40_000, 50_000),
        spacing=(0.4996, 0.4996),
    )


def documents(out: Path, count: int) -> tuple[str, ...]:
    folder = Folder(out)
    records = [record(n) for n in range(count)]
    settings = ClusterSettings()
    began = time.process_time()
    prints = fingerprints(pipeline("cluster", "slides"), settings, 0.5, records, {})
    printed = time.process_time() - began
    began = time.process_time()
    write_images(folder, {r.id: r for r in records})
    written = time.process_time() - began
    write_rejected(folder, {})
    cohort = InspectedCohort(0.5, {}, {}, (), Path("/data/cohort"))
    write_run(folder, manifest(pipeline("cluster", "slides"), settings, cohort, prints, {}))
    began = time.process_time()
    load(out)
    loaded = time.process_time() - began
    os.utime(out / "run.json")  # as a step's end does
    began = time.process_time()
    load(out)
    again = time.process_time() - began
    os.utime(out / "slides.json")
    tracemalloc.start()
    load(out)
    kept = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    size = (out / "slides.json").stat().st_size / 1e6
    return (
        f"{count:,}",
        f"{size:.1f}",
        f"{written:.2f}",
        f"{loaded:.2f}",
        f"{again:.2f}",
        f"{kept:.0f}",
        f"{printed:.2f}",
    )


def files_of_one() -> list[tuple[str, ...]]:
    """Shards and receipts of one slide, from the shapes that the steps use."""
    frame, step = record(0).frame, ClusterSettings().step
    side = SLIDES.cut.cells(step)
    levels = pyramid(frame)
    cells = frame.coarsen((step, step)).box
    names = {"assignment": 1, "confidence": 4, "embedding": 256}
    rows: list[tuple[str, int, float]] = []
    shards = [sum(1 for _ in level.box.cut(SLIDES.cut.shard)) for level in levels]
    rows.append(("image, with its pyramid", sum(shards), sum(level.box.size * 3 for level in levels) / 1e6))
    of_layer = sum(1 for _ in cells.cut((side, side)))
    rows += [(f"layer {name}", of_layer, cells.size * size / 1e6) for name, size in names.items()]
    pieces = sum(sum(1 for _ in level.box.cut(SLIDES.cut.block)) for level in levels)
    rows.append(("labels tissue and clusters", 2 * pieces, 2 * sum(level.box.size for level in levels) / 1e6))
    rows.append(("metadata", 3 * len(levels) + 3 * 2 + 5, 0.0))
    blocks = sum(1 for _ in frame.box.cut(SLIDES.cut.block))
    rows.append(("receipts", blocks + of_layer + 2, 0.0))
    rows.append(("in all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [(name, f"{files:,}", f"{size:,.0f}") for name, files, size in rows]


def receipts(out: Path, count: int) -> list[tuple[str, ...]]:
    data = b"x" * 1000
    paths = [out / f"slides/one.ome.zarr/layers/embedding/0/c/0/{n}/{m}" for n in range(count) for m in range(4)]
    for path in paths:
        write_whole(path, data)
    files = [Written(path, len(data), checksum(data)) for path in paths]
    ledger = Ledger(out, "tiles", digest("settings"))
    seconds = {"read": 1.25, "compute": 4.5, "write": 0.25}
    facts = {"masked": 0, "tiles": 4096, "counts": [300] * 14}
    rows = []

    def clocked(name: str, work: Any) -> None:
        wall, busy = time.perf_counter(), time.process_time()
        work()
        times = time.perf_counter() - wall, time.process_time() - busy
        rows.append((name, *(f"{t / count * 1e3:.2f}" for t in times)))

    def write() -> None:
        for n in range(count):
            ledger.write(f"one/{n}", files[4 * n : 4 * n + 4], seconds=seconds, facts=facts)

    def find() -> None:
        for n in range(count):
            ledger.find(f"one/{n}")

    clocked("write a receipt", write)
    clocked("find it again: is this unit done?", find)
    clocked("list a slide's receipts, a unit", lambda: list(ledger.all("one")))
    return rows


if __name__ == "__main__":
    main()
