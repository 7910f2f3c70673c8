"""How near to the truth does harmonization bring a scan? Simulated sites on 43 real T1 heads (IXI, Hammersmith, 2 mm).

Every person is simulated at a site A and at a site B: contrast, bias field, blur, noise and gain differ, and the truth is
paired. Methods are fitted on scans of 30 people, unpaired, and scored on the 13 others: structural similarity (3-D) and peak
signal-to-noise ratio inside the head, mean over people, and the paired Wilcoxon test against the best baseline (Holm).
Every volume is divided by the 99th percentile of its head; the data range is the mean 99.9th percentile of B's fitting people.

    python benchmarks/harmonize.py
    python benchmarks/harmonize.py --methods identity "mean histogram" --splits 3
    python benchmarks/harmonize.py --sites --network-steps 30

With `--sites` fresh classifiers try to tell the sites apart after each method, and embeddings, distances between people and
tissue are compared, by the code that `run harmonize` judges itself with.

A method is a function of the cohort that yields a function of a person: one line in METHODS adds it to the table.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from tile_engine.engine.runs.harmonize.effort import Effort
from tile_engine.engine.runs.harmonize.figures import judgement
from tile_engine.engine.runs.harmonize.scans import Head, Scan, Version, comparable
from tile_engine.models.evaluation.image_quality import data_range, psnr, ssim
from tile_engine.models.evaluation.paired import compare_pairs
from tile_engine.models.harmonization.baselines import BASELINES, Fit
from tile_engine.models.harmonization.quantiles import Array, matched, quantile_function
from tile_engine.models.seeds import numpy_generator
from tile_engine.stores.frame import Frame

SOURCE, TARGET = "A", "B"
FIT_PEOPLE = 30


def data() -> Path:
    return Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def simulator() -> Any:
    """The module that simulates sites: tools/simsites.py beside the data."""
    path = data().parent / "tools" / "simsites.py"
    if not path.exists():
        raise SystemExit(f"no {path}: the simulator of sites lies beside the data that TILE_ENGINE_DATA names")
    spec = importlib.util.spec_from_file_location("simsites", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(slots=True)
class Cohort:
    """People, each at both sites: volumes float32 (x, y, z) with the head's 99th percentile at 1, and head masks."""

    strength: float
    people: list[str] = field(default_factory=list)
    affines: list[Array] = field(default_factory=list)
    masks: list[Array] = field(default_factory=list)
    volumes: dict[str, list[Array]] = field(default_factory=lambda: {SOURCE: [], TARGET: [], "second scan": []})
    fitted: list[int] = field(default_factory=list)
    """Rows that methods are fitted on."""
    scored: list[int] = field(default_factory=list)

    def split(self, seed: int) -> None:
        """Divide the people anew, by a seed."""
        order = numpy_generator(seed, "split").permutation(len(self.people)).tolist()
        self.fitted, self.scored = sorted(order[:FIT_PEOPLE]), sorted(order[FIT_PEOPLE:])

    def head(self, row: int, site: str) -> Head:
        return Head(self.volumes[site][row], self.masks[row])

    def fitting(self, site: str) -> Iterator[tuple[Array, Array]]:
        """(values, mask) of the people that methods are fitted on, at one site."""
        return ((self.volumes[site][i], self.masks[i]) for i in self.fitted)


def cohort(strength: float) -> Cohort:
    """All people, simulated at both sites, and a second time at the target: another jitter and noise of the same scanner."""
    root, sites = data() / "mri" / "ixi-hh-2mm", simulator()
    if not root.exists():
        raise SystemExit(f"no {root}: set TILE_ENGINE_DATA to the folder that holds mri/ixi-hh-2mm")
    made = Cohort(strength)
    with (root / "participants_dev.csv").open() as file:
        made.people = [row["id"] for row in csv.DictReader(file)]
    for row, person in enumerate(made.people):
        image = nibabel.load(root / "dev" / f"{person}_T1.nii.gz")
        values = np.asarray(image.dataobj, np.float32)
        mask = sites.head_mask(values)
        values /= np.percentile(values[mask], 99.5)
        made.affines.append(image.affine)
        made.masks.append(mask)
        for name, site, seed in ((SOURCE, "A", 0), (TARGET, "B", 0), ("second scan", "B", 1)):
            scan = sites.simulate(values, mask, site, row, seed=seed, strength=strength)
            made.volumes[name].append(scan / np.percentile(scan[mask], 99))
    return made


Method = Callable[[Cohort], Callable[[int], Array]]
"""cohort -> (row of a person -> that person's scan of A as if from B). What it learns, it learns from the fitting people."""


def baseline(fit: Fit) -> Method:
    def method(scans: Cohort) -> Callable[[int], Array]:
        transform = fit(scans.fitting(SOURCE), scans.fitting(TARGET))
        return lambda row: transform(scans.volumes[SOURCE][row], scans.masks[row])

    return method


def truth_matched(scans: Cohort) -> Callable[[int], Array]:
    """Histogram matching to the person's own scan at B: what no curve of intensities can surpass. It sees the truth."""

    def method(row: int) -> Array:
        mask = scans.masks[row]
        return matched(scans.volumes[SOURCE][row], mask, quantile_function(scans.volumes[TARGET][row], mask))

    return method


def second_scan(scans: Cohort) -> Callable[[int], Array]:
    """Another scan of the same person at B: the ceiling. It is no method."""
    return lambda row: scans.volumes["second scan"][row]


METHODS: dict[str, Method] = {name: baseline(fit) for name, fit in BASELINES.items()}
SEES_TRUTH: dict[str, Method] = {"own truth's histogram": truth_matched, "second scan at B": second_scan}


def scores(scans: Cohort, method: Method, limit: float) -> Array:
    """(SSIM, PSNR) of each scored person, float (people, 2)."""
    harmonized, rows = method(scans), []
    for row in scans.scored:
        pair = (harmonized(row), scans.volumes[TARGET][row], scans.masks[row])
        rows.append([figure(*pair, data_range=limit) for figure in (ssim, psnr)])
    return np.array(rows)


def table(scans: Cohort, names: Iterable[str]) -> None:
    """Print a line for each method, and the paired test of the methods that are no baselines against all baselines."""
    limit = data_range(scans.fitting(TARGET))
    found: dict[str, Array] = {}
    print(f"{'simulated, strength ' + format(scans.strength, 'g'):<34}{'SSIM':>16}{'PSNR dB':>16}{'seconds':>9}")
    for name in names:
        start = time.perf_counter()
        found[name] = scores(scans, (METHODS | SEES_TRUTH)[name], limit)
        cells = [
            f"{m:.{d}f} ± {s:.{d}f}"
            for m, s, d in zip(found[name].mean(0), found[name].std(0, ddof=1), (3, 2), strict=True)
        ]
        print(f"{name:<34}" + "".join(f"{c:>16}" for c in cells) + f"{time.perf_counter() - start:>9.1f}", flush=True)
    others = {name: rows for name, rows in found.items() if name in BASELINES}
    for name in found.keys() - BASELINES.keys() - SEES_TRUTH.keys():
        for column, figure in enumerate(("SSIM", "PSNR")):
            pairs = compare_pairs(found[name][:, column], {n: rows[:, column] for n, rows in others.items()})
            worst = max(pairs.values(), key=lambda pair: pair.p_corrected)
            print(f"{name}: {figure} against {worst.other}: {worst.difference:+.3f}, p {worst.p_corrected:.2g} (Holm)")


def judged(scans: Cohort, names: Sequence[str], steps: int) -> None:
    """Print what the judgement of `run harmonize` says besides SSIM and PSNR, a line for each method."""
    frame = Frame(("z", "y", "x"), scans.masks[0].shape, (2000.0,) * 3)
    listed = [
        Scan(f"{person}-{site}", person, site, row in scans.fitted, frame, partial(scans.head, row, site))
        for site in (SOURCE, TARGET)
        for row, person in enumerate(scans.people)
    ]
    compared = comparable(listed, [SOURCE], TARGET)
    versions = {name: _version((METHODS | SEES_TRUTH)[name](scans)) for name in names}
    found = judgement(compared, versions, names[0], effort=Effort(network_steps=steps))
    seen = ("intensities", "texture", *(["network"] if steps else []))
    columns = [*seen, "MMD²", "p", "ranks", "embedded", "contrast", "tissue kept"]
    print(f"{'':<34}" + "".join(f"{column:>13}" for column in columns))
    for name, method in found.methods.items():
        figures = [method.classifiers[what].accuracy for what in seen]
        figures += [method.mmd2, method.mmd_p, method.rank_values, method.rank_embeddings]
        print(f"{name:<34}" + "".join(f"{f:>13.3f}" for f in [*figures, method.contrast, method.class_overlap]))
    print(f"contrast at {TARGET}: {found.at_target.contrast:.3f}")
    if found.combat.before and found.combat.after:
        sites = f"{found.combat.before.accuracy:.2f} -> {found.combat.after.accuracy:.2f}"
        print(
            f"ComBat on embeddings: sites {sites}, MMD² {found.combat.mmd2_before:.3f} -> {found.combat.mmd2_after:.3f}"
        )
    print(*(f"caution: {caution}" for caution in found.cautions), sep="\n", end="")


def _version(method: Callable[[int], Array]) -> Version:
    """Scans of the source stand first in the list, so that a row is a person."""
    return lambda row, head: method(row)


def main() -> None:
    every = [*METHODS, *SEES_TRUTH]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=every, choices=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--strength", type=float, default=1.0, help="how far the sites differ; 0: not at all")
    parser.add_argument("--splits", type=int, default=1, help="divisions of the people, each by its own seed")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first division")
    parser.add_argument("--sites", action="store_true", help="also try to tell the sites apart: minutes a division")
    parser.add_argument("--network-steps", type=int, default=0, help="of a network that tells them apart; 0: none")
    args = parser.parse_args()
    print(f"{time.strftime('%d %B %Y')}, load {os.getloadavg()[0]:.1f}, fitted on {FIT_PEOPLE} people", flush=True)
    scans = cohort(args.strength)
    for seed in range(args.seed, args.seed + args.splits):
        scans.split(seed)
        print(f"split {seed}: {len(scans.scored)} people scored")
        table(scans, args.methods)
        if args.sites:
            judged(scans, args.methods, args.network_steps)


if __name__ == "__main__":
    main()
