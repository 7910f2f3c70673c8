"""peers: tile-engine beside the programs that a user could take instead, on the same slide in the same run.

```text
reads       tiles of 256 in order, then at random places: OpenSlide, tiffslide, fastslide, tile-engine from the slide and from
            its store; in one thread, with a thread a core, and in tile-engine's own order of blocks
conversion  slide to OME-Zarr with a pyramid: ngff-zarr and ome-zarr-py over tifffile's lazy array, `tile-engine convert`
pipeline    LazySlide's tissue, tiles, encoder, k-means and map as a script, beside `tile-engine run cluster`, with the same
            frozen encoder and with one that it trains
```
Every figure is of a process of its own: reads count from the opened slide, the others from start to end, imports included.
Peers have environments of their own in `--environments`, made from the package index when they are not there; a peer that
cannot be installed, or fails, stays in the table with its reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from peer_environments import UnavailableError, python_of
from peer_measures import Facts, Usage, cells, line, measured, watched
from slides import BIG, CACHE, SMALL, TILE, arguments, cores, table

HERE = Path(__file__).resolve().parent
ENGINE = [sys.executable, "-m", "tile_engine.cli"]
CLUSTERS, STRIDE, EFFORT, SAMPLES = 6, 128, "0.1", "2000"
PARTS = ("reads", "conversion", "pipeline")


@dataclass
class Bench:
    """The slide, the places of what is made, and what was learnt by the way."""

    side: int
    scratch: Path
    environments: Path
    versions: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    """Patches that each reader gave, to compare."""

    @property
    def slide(self) -> Path:
        return CACHE / f"slide-{self.side}-0.tif"

    def python(self, peer: str) -> str:
        return sys.executable if peer == "tile-engine" else str(python_of(peer, self.environments))


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument(
        "--environments", type=Path, default=CACHE / "environments", help="folder of the peers' environments"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be given again (default: all)")
    parser.add_argument("--patches", type=int, help="random patches (default: 2000; 500 if quick)")
    given = parser.parse_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    side = SMALL if given.quick else BIG
    subprocess.run(
        [sys.executable, str(HERE / "slides.py"), "--side", str(side)], check=True, stdout=subprocess.DEVNULL
    )
    with tempfile.TemporaryDirectory(dir=given.scratch, prefix="peers-") as folder:
        bench = Bench(side, Path(folder), given.environments.absolute())
        for part in given.only or PARTS:
            {"reads": reads, "conversion": conversion, "pipeline": pipeline}[part](bench, given)


def reads(bench: Bench, given: Any) -> None:
    store = bench.scratch / "store"
    watched([*ENGINE, "convert", str(bench.slide), "--out", str(store), "--quiet"])
    along = np.arange(0, bench.side, TILE)
    number = given.patches or (500 if given.quick else 2000)
    drawn = np.random.default_rng(0).integers(0, bench.side - TILE, (number, 2))
    for title, places in (
        ("in order", np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)),
        ("at random places", drawn),
    ):
        file = bench.scratch / f"places-{len(places)}.npy"
        np.save(file, places)
        works: dict[str, Callable[[], Facts]] = {}
        for name, peer, source in (
            ("OpenSlide", "openslide", bench.slide),
            ("tiffslide", "tiffslide", bench.slide),
            ("fastslide", "fastslide", bench.slide),
            ("tile-engine, slide", "tile-engine", bench.slide),
            ("tile-engine, store", "tile-engine", store),
        ):
            for threads in (1, cores(), *((0,) if peer == "tile-engine" else ())):
                label = f"{name}, {threads or 'own order'}{' thread' * (threads > 0)}{'s' * (threads > 1)}"
                works[label] = lambda a=(label, peer, source, file, threads): read_rate(bench, *a)
        found = measured(works, given.repeat)
        rows = [
            (*line(found, name, ("tiles", "processor")), pixels(bench, name), bench.versions.get(name, ""))
            for name in works
        ]
        head = ("work", "tiles/s", "of the first", "tiles a processor second", "of the first", "pixels", "version")
        table(f"{len(places)} tiles of {TILE} x {TILE} {title}, out of {bench.side} x {bench.side} pixels", head, rows)


def read_rate(bench: Bench, label: str, peer: str, source: Path, places: Path, threads: int) -> Facts:
    told = bench.scratch / "read.json"
    asked = {
        "work": "read",
        "peer": peer,
        "slide": str(source),
        "places": str(places),
        "side": TILE,
        "threads": threads,
    }
    watched([bench.python(peer), str(HERE / "peer_work.py"), json.dumps({**asked, "told": str(told)})])
    facts = json.loads(told.read_text())
    bench.versions[label], bench.kept[label] = facts["version"], np.load(told.with_suffix(".npy"))
    count = len(np.load(places))
    return {"tiles": count / facts["seconds"][0], "processor": count / facts["seconds"][1]}


def pixels(bench: Bench, label: str) -> str:
    """The largest difference from the pixels of the first reader; "=" for none."""
    first, own = next(iter(bench.kept.values()), None), bench.kept.get(label)
    if first is None or own is None:
        return ""
    if own.shape != first.shape:
        return f"shape {own.shape[1:]}"
    return str(int(np.abs(own.astype(int) - first).max()) or "=")


def conversion(bench: Bench, given: Any) -> None:
    works: dict[str, Callable[[], Facts]] = {}
    for codec in ("lz4", "zstd"):
        works[f"tile-engine, {codec}"] = lambda codec=codec: engine_conversion(bench, codec)
    for peer in ("ngff-zarr", "ome-zarr-py"):
        works[peer] = lambda peer=peer: peer_conversion(bench, peer)
    found = measured(works, given.repeat)
    rows = [
        (
            *line(found, name, ("rate", "processor")),
            *cells(found, name, ("written", "peak")),
            bench.versions.get(name, ""),
        )
        for name in works
    ]
    head = (
        "work",
        "MPix/s",
        "of the first",
        "MPix a processor second",
        "of the first",
        "MiB written",
        "peak MiB",
        "version",
    )
    table(f"conversion to OME-Zarr, {bench.side} x {bench.side} pixels", head, rows)


def engine_conversion(bench: Bench, codec: str) -> Facts:
    out = bench.scratch / "converted"
    usage = watched([*ENGINE, "convert", str(bench.slide), "--out", str(out), "--codec", codec, "--quiet"])
    bench.versions[f"tile-engine, {codec}"] = engine_version()
    return conversion_facts(bench, usage, out, next((out / "slides").glob("*.ome.zarr")))


def peer_conversion(bench: Bench, peer: str) -> Facts:
    out, told = bench.scratch / "converted.ome.zarr", bench.scratch / "convert.json"
    asked = {"work": "convert", "peer": peer, "slide": str(bench.slide), "out": str(out), "told": str(told)}
    try:
        usage = watched([bench.python(peer), str(HERE / "peer_work.py"), json.dumps(asked)])
    except UnavailableError:
        shutil.rmtree(out, ignore_errors=True)
        raise
    bench.versions[peer] = json.loads(told.read_text())["version"]
    return conversion_facts(bench, usage, out, out)


def conversion_facts(bench: Bench, usage: Usage, out: Path, store: Path) -> Facts:
    written = sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) / 2**20
    shutil.rmtree(out)
    pixels = bench.side**2 / 1e6
    return {"rate": pixels / usage.wall, "processor": pixels / usage.processor, "written": written, "peak": usage.peak}


def pipeline(bench: Bench, given: Any) -> None:
    weights = bench.scratch / "encoder.safetensors"
    works: dict[str, Callable[[], Facts]] = {
        "LazySlide, a random encoder": lambda: peer_pipeline(bench, weights),
        "tile-engine, the same encoder": lambda: engine_pipeline(bench, ["--encoder", str(weights)]),
        f"tile-engine, trains its own, effort {EFFORT}": lambda: engine_pipeline(bench, []),
    }
    try:
        watched([bench.python("lazyslide"), str(HERE / "peer_pipeline.py"), "weights", str(weights)])
    except UnavailableError as error:
        print(f"  no encoder from LazySlide's environment: {error}", file=sys.stderr)
        del works["tile-engine, the same encoder"]
    found = measured(works, given.repeat)
    keys = ("wall", "processor", "tiles", "rate", "peak")
    rows = [(name, *cells(found, name, keys), bench.versions.get(name.split(",")[0], "")) for name in works]
    head = ("work", "seconds", "processor seconds", "tiles", "tiles/s", "peak MiB", "version")
    title = f"slide to clusters and map, {CLUSTERS} clusters, patches of 128 every {STRIDE} pixels"
    table(f"{title}, {bench.side} x {bench.side} pixels", head, rows)


def peer_pipeline(bench: Bench, weights: Path) -> Facts:
    out, told = bench.scratch / "lazyslide", bench.scratch / "lazyslide.json"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    asked = {
        "slide": str(bench.slide),
        "weights": str(weights),
        "out": str(out),
        "k": CLUSTERS,
        "stride": STRIDE,
        "told": str(told),
    }
    usage = watched([bench.python("lazyslide"), str(HERE / "peer_pipeline.py"), "run", json.dumps(asked)])
    facts = json.loads(told.read_text())
    bench.versions["LazySlide"] = " ".join(f"{name} {version}" for name, version in facts["versions"].items())
    print(f"  LazySlide, seconds: {facts['stages']}", file=sys.stderr)
    return pipeline_facts(usage, facts["tiles"])


def engine_pipeline(bench: Bench, options: list[str]) -> Facts:
    out = bench.scratch / "run"
    shutil.rmtree(out, ignore_errors=True)
    command = [*ENGINE, "run", "cluster", "--slides", str(bench.slide), "--out", str(out), "--quiet", "--no-umap"]
    command += [
        "--patch",
        "128",
        "--stride",
        str(STRIDE),
        "--k",
        str(CLUSTERS),
        "--effort",
        EFFORT,
        "--samples",
        SAMPLES,
    ]
    usage = watched([*command, *options])
    bench.versions["tile-engine"] = engine_version()
    steps = {name: round(step["wall"], 1) for name, step in json.loads((out / "run.json").read_text())["steps"].items()}
    print(f"  tile-engine, seconds: {steps}", file=sys.stderr)
    index = json.loads((out / "tables" / "tiles.zarr" / "obs" / "_index" / "zarr.json").read_text())
    return pipeline_facts(usage, index["shape"][0])


def pipeline_facts(usage: Usage, tiles: int) -> Facts:
    rate = tiles / usage.wall
    return {"wall": usage.wall, "processor": usage.processor, "tiles": tiles, "rate": rate, "peak": usage.peak}


def engine_version() -> str:
    from tile_engine.version import VERSION

    return VERSION


if __name__ == "__main__":
    main()
