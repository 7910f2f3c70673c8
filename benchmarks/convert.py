"""convert: megapixels a second and peak memory, beside its limits and its peers, in one run.

decode   libjpeg-turbo (imagecodecs.jpeg8_decode) over all tiles of the finest level, a thread a core
encode   shards of pixels that are decoded already, a thread a core
limit    1 / (1 / decode + 1.33 / encode): a pyramid has a third more pixels than its finest level
engine   `tile-engine convert` in a process of its own: its steps `pixels` and `pyramid`, tissue mask included
peers    ngff-zarr and ome-zarr-py, pyramid included, given the small slide's pixels decoded already
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from slides import BIG, SMALL, Clock, arguments, cores, rounds, slide, table

from tile_engine.engine.workers.placement import ClusterOptions

BLOCK, CHUNK = 2048, 256
CODECS = ("lz4", "zstd")


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--no-peers", action="store_true", help="leave out ngff-zarr and ome-zarr-py")
    given = parser.parse_args()
    side = SMALL if given.quick else BIG
    measures: dict[str, Callable[[], float]] = {"decode": lambda: decode_rate(slide(side))}
    for codec in CODECS:
        measures[f"encode {codec}"] = lambda codec=codec: encode_rate(slide(side), codec)
    peaks: dict[str, float] = {}
    for codec in CODECS:
        for cluster in ("none", "local"):
            measures[f"{codec} {cluster} {side}"] = lambda c=codec, w=cluster: engine_rate(
                side, f"{c} {w}", given.scratch, peaks
            )
    if not given.no_peers:
        measures[f"lz4 none {SMALL}"] = lambda: engine_rate(SMALL, "lz4 none", given.scratch, peaks)
        measures["ngff-zarr"] = lambda: peer_rate("ngff_zarr", given.scratch, peaks)
        measures["ome-zarr-py"] = lambda: peer_rate("ome_zarr", given.scratch, peaks)
    rates = rounds(measures, given.repeat)
    show(side, rates, peaks)
    busy: dict[str, Callable[[], float]] = {"decode": lambda: decode_rate(slide(side), time.process_time)}
    for codec in CODECS:
        busy[f"encode {codec}"] = lambda c=codec: encode_rate(slide(side), c, time.process_time)
        busy[codec] = lambda c=codec: busy_rate(side, c, given.scratch)
    show_busy(rounds(busy, given.repeat))


def show(side: int, rates: dict[str, float], peaks: dict[str, float]) -> None:
    rows = [("libjpeg-turbo alone", f"{rates['decode']:.0f}", "", "", "")]
    for codec in CODECS:
        limit = 1 / (1 / rates["decode"] + 1.33 / rates[f"encode {codec}"])
        rows.append((f"shards of {codec} alone", f"{rates[f'encode {codec}']:.0f}", "", "", ""))
        rows.append((f"limit with {codec}", f"{limit:.0f}", "1", "", ""))
        for cluster in ("none", "local"):
            name = f"{codec} {cluster} {side}"
            goal = "0.85"
            rows.append(
                (
                    f"convert, {codec}, {cluster}",
                    f"{rates[name]:.0f}",
                    f"{rates[name] / limit:.2f}",
                    goal,
                    peak(peaks[name]),
                )
            )
    table(
        f"convert, {side} x {side} pixels",
        ("work", "MPix/s", "of the limit", "goal", "peak MiB a process (goal 572)"),
        rows,
    )
    if "ngff-zarr" in rates:
        ours = f"lz4 none {SMALL}"
        rows = [
            (f"convert, lz4, none ({SMALL} pixels a side)", f"{rates[ours]:.0f}", "1", "", peak(peaks[ours])),
            *(
                (name, f"{rates[name]:.1f}", f"{rates[ours] / rates[name]:.1f}", "5", peak(peaks[name]))
                for name in ("ngff-zarr", "ome-zarr-py")
            ),
        ]
        head = ("work", "MPix/s", "tile-engine is faster by", "goal", "peak MiB a process")
        table("convert beside its peers, which need not decode", head, rows)


def show_busy(rates: dict[str, float]) -> None:
    rows = []
    for codec in CODECS:
        limit = 1 / (1 / rates["decode"] + 1.33 / rates[f"encode {codec}"])
        rows.append((f"limit with {codec}", f"{limit:.0f}", "1"))
        rows.append(
            (f"convert, {codec}, tissue mask and start included", f"{rates[codec]:.0f}", f"{rates[codec] / limit:.2f}")
        )
    table("convert, by processor time", ("work", "MPix a processor second", "of the limit"), rows)


def peak(mib: float) -> str:
    return f"{mib:.0f}"


def decode_rate(path: Path, clock: Clock = time.perf_counter) -> float:
    import tifffile
    from imagecodecs import jpeg8_decode

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        tables, where = page.jpegtables, list(zip(page.dataoffsets, page.databytecounts, strict=True))
    file = os.open(path, os.O_RDONLY)

    def some(part: list[tuple[int, int]]) -> None:
        out = np.empty((CHUNK, CHUNK, 3), np.uint8)
        for offset, count in part:
            jpeg8_decode(os.pread(file, count, offset), tables=tables, colorspace="YCBCR", outcolorspace="RGB", out=out)

    with ThreadPoolExecutor(cores()) as pool:
        began = clock()
        list(pool.map(some, [where[i :: cores()] for i in range(cores())]))
        seconds = clock() - began
    os.close(file)
    return len(where) * CHUNK**2 / seconds / 1e6


def encode_rate(path: Path, codec: str, clock: Clock = time.perf_counter) -> float:
    """All the slide's shards, from pixels that lie in memory as they will be stored, a row of shards at a time."""
    from tile_engine.stores.shard import Codec, encode_shard
    from tile_engine.stores.slides.reader import open_slide

    seconds = 0.0
    with open_slide(path) as source, ThreadPoolExecutor(cores()) as pool:
        frame = source.frames[0]
        for row in frame.box.cut((BLOCK, frame.shape[1])):
            blocks = [np.ascontiguousarray(source.read(box)) for box in row.cut((BLOCK, BLOCK))]
            began = clock()
            list(pool.map(lambda block: len(encode_shard(block, (3, CHUNK, CHUNK), Codec(codec))), blocks))
            seconds += clock() - began
    return frame.box.size / seconds / 1e6


def busy_rate(side: int, codec: str, scratch: Path) -> float:
    """Megapixels a second of processor time, in this process: what other work on the machine leaves alone."""
    from tile_engine.engine.api.commands import cluster
    from tile_engine.engine.runtime.options import RunOptions

    out = scratch / f"busy-{os.getpid()}"
    began = time.process_time()
    try:
        cluster(
            slide(side),
            out,
            options=RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",)),
            codec=codec,
        )
        return side**2 / (time.process_time() - began) / 1e6
    finally:
        shutil.rmtree(out, ignore_errors=True)


def engine_rate(side: int, how: str, scratch: Path, peaks: dict[str, float]) -> float:
    codec, cluster = how.split()
    path = slide(side)
    out = scratch / f"convert-{os.getpid()}"
    command = [sys.executable, "-m", "tile_engine.cli", "convert", str(path), "--out", str(out), "--codec", codec]
    command += ["--cluster", cluster, "--quiet", *(["--workers", str(cores())] if cluster == "local" else [])]
    try:
        most = watched(command)
        steps = json.loads((out / "run.json").read_text())["steps"]
        seconds = sum(steps[name]["wall"] for name in ("pixels", "pyramid"))
    finally:
        shutil.rmtree(out, ignore_errors=True)
    name = f"{how} {side}"
    peaks[name] = max(most, peaks.get(name, 0.0))
    return side**2 / seconds / 1e6


def peer_rate(name: str, scratch: Path, peaks: dict[str, float]) -> float:
    """One of `PEERS` in a process of its own, which prints its seconds."""
    out = scratch / f"{name}-{os.getpid()}.zarr"
    told = out.with_suffix(".json")
    try:
        most = watched([sys.executable, __file__, "--peer", name, str(slide(SMALL)), str(out), str(told)])
        seconds = float(json.loads(told.read_text()))
    finally:
        shutil.rmtree(out, ignore_errors=True)
        told.unlink(missing_ok=True)
    label = {"ngff_zarr": "ngff-zarr", "ome_zarr": "ome-zarr-py"}[name]
    peaks[label] = max(most, peaks.get(label, 0.0))
    return SMALL**2 / seconds / 1e6


def watched(command: list[str]) -> float:
    """Run a command; the most memory (MiB resident) that any one of its processes came to hold."""
    import psutil

    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            most = max(most, *(high_water(one.pid) for one in family))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return most


def high_water(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def with_ngff_zarr(pixels: Any, out: str) -> None:
    import ngff_zarr

    image = ngff_zarr.to_ngff_image(pixels, dims=["c", "y", "x"], scale={"c": 1.0, "y": 0.5, "x": 0.5})
    levels = ngff_zarr.to_multiscales(image, scale_factors=[2, 4, 8, 16, 32], chunks=CHUNK)
    ngff_zarr.to_ngff_zarr(out, levels, version="0.5")


def with_ome_zarr(pixels: Any, out: str) -> None:
    import zarr
    from ome_zarr.writer import write_image

    write_image(pixels, zarr.open_group(out, mode="w"), axes="cyx", scale_factors=[2, 4, 8, 16, 32])


PEERS = {"ngff_zarr": with_ngff_zarr, "ome_zarr": with_ome_zarr}


def peer_main(name: str, path: str, out: str, told: str) -> None:
    import tifffile

    __import__(name)
    pixels = np.ascontiguousarray(np.moveaxis(tifffile.imread(path, level=0), -1, 0))
    began = time.perf_counter()
    PEERS[name](pixels, out)
    Path(told).write_text(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer_main(*sys.argv[2:])
    else:
        main()
