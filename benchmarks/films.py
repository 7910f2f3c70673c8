"""films: millions of films: memory that does not grow with them, films a second, and what is left of the network's own speed.

Films are drawn (`stores/films/synthetic.py`): a few thousand, repeated with noise of their own, as `.npy` sets of 10,000 films
of 100 x 100. Every row is a process of its own that converts and indexes them, trains quickly, and scores them all by
`--scores`; its peak memory is told for each number of films, with libraries. Training (with the reading of its films) and
scoring are compared with the same network on the same films as an array in memory, in one process, median of several.

    python benchmarks/films.py --films 1e4 1e5
    python benchmarks/films.py --films 1e4 1e6 --scores pasted      # an hour on two cores, 25 GB of disk
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import zarr
from slides import table

import tile_engine
from tile_engine.engine.runs.anomaly.spotters import load_spotters
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.films.rows import FilmRows
from tile_engine.models.anomaly.spots import score_spots
from tile_engine.models.networks.vae import Vae
from tile_engine.models.training.variational import Variational, VariationalPlan
from tile_engine.stores.films.synthetic import draw_film

SIDE, IN_SET, DRAWN = 100, 10_000, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=float, nargs="*", default=[1e4, 1e5])
    parser.add_argument("--scores", default="pasted")
    parser.add_argument("--scratch", type=Path, default=Path(".bench/films"))
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.scores)))
        return
    rows = []
    for count in map(round, given.films):
        folder = given.scratch / str(count)
        draw_sets(folder / "films", count)
        command = [sys.executable, __file__, "--one", str(folder), "--scores", given.scores]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        shutil.rmtree(folder)
    print(table(rows))


def draw_sets(folder: Path, count: int) -> None:
    """Sets of films and their labels; one film in ten has an opacity."""
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    source = np.random.default_rng(0)
    abnormal = np.arange(DRAWN) % 10 == 0
    drawn = np.stack([draw_film(SIDE, source, abnormal=bool(one)) for one in abnormal])
    drawn = np.rint(drawn * 255).astype(np.int16)
    for number, first in enumerate(range(0, count, IN_SET)):
        size = min(IN_SET, count - first)
        chosen = source.integers(0, DRAWN, size)
        films = np.lib.format.open_memmap(folder / f"{number:04d}_images.npy", "w+", np.uint8, (size, SIDE, SIDE))
        for start in range(0, size, 500):
            part = chosen[start : start + 500]
            films[start : start + 500] = np.clip(drawn[part] + source.integers(-3, 4, (len(part), SIDE, SIDE)), 0, 255)
        del films
        np.save(folder / f"{number:04d}_labels.npy", np.where(abnormal[chosen], "opacity", "normal"))


def measured(folder: Path, scores: str) -> dict[str, object]:
    began = time.perf_counter()
    run = tile_engine.anomaly(
        folder / "films",
        folder / "out",
        options=tile_engine.RunOptions(cluster=tile_engine.ClusterOptions(cluster="none")),
        effort=0.05,
        scores=scores,
        spotters=1,
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    steps = json.loads((run.out / "run.json").read_text())["steps"]
    count = len(run.films["film"])
    assert zarr.open_group(run.out / "films.zarr", mode="r")["films"].shape[0] == count
    assert isinstance(run.films, xr.Dataset)
    return {
        "films": f"{count:,}",
        "peak MiB": round(peak),
        "read films/s": round(count / steps["films"]["wall"]),
        "scored films/s": round(count / steps["scores"]["wall"]),
        "seconds": round(seconds),
        **speed(run.out),
    }


def speed(out: Path) -> dict[str, object]:
    """Speed of training and of scoring from the store, relative to an array in memory."""
    job = load(out)
    torch.set_num_threads(job.settings.threads)
    stored = FilmRows(job.folder, np.arange(4096))
    held = stored[np.arange(4096)].copy()
    ratios = []
    for _ in range(3):
        seconds = []
        for read in (False, True):
            began = time.perf_counter()
            films = FilmRows(job.folder, np.arange(4096)) if read else held
            phase = Variational(Vae(SIDE), films, VariationalPlan(64))  # as many films as there are, once
            for index in range(phase.steps):
                phase.step(index)
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
    networks, references = load_spotters(job)
    alone = []
    for _ in range(3):
        began = time.perf_counter()
        score_spots(networks, references, held[:1024])
        alone.append(1024 / (time.perf_counter() - began))
    return {"training": round(statistics.median(ratios), 2), "network films/s": round(statistics.median(alone))}


if __name__ == "__main__":
    main()
