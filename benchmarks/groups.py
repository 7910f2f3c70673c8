"""Do the intervals of a slide's shares cover the truth, and does a comparison of groups find what is planted and nothing else?

Slides: Gaussian fields of 100 x 100 tiles, smoothed over a number of tiles and cut into three clusters with known shares.
Groups: subjects with a mixture each (Dirichlet), two slides a subject, cluster 1 multiplied in one group. Beside each stands
what a test over tiles, which takes every tile for an independent observation, would say.

    python benchmarks/groups.py
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.stats import chi2_contingency, norm

from tile_engine.models.evaluation.composition import composition
from tile_engine.models.evaluation.groups import compare_groups

Array = npt.NDArray[np.generic]
SHARES = np.array([0.5, 0.3, 0.2])
SIDE = 100


def field(length: float, draw: np.random.Generator) -> Array:
    """Labels of a slide, int (SIDE, SIDE), from 1."""
    values = draw.normal(size=(SIDE + 60, SIDE + 60))
    if length:
        values = ndimage.gaussian_filter(values, length, mode="wrap") * 2 * np.sqrt(np.pi) * length
    return 1 + np.digitize(values[:SIDE, :SIDE], norm.ppf([0.5, 0.8]))


def coverage(length: float, draws: int) -> tuple[float, float, float, float]:
    """(coverage, mean width, mean of effective tiles, coverage of the binomial interval)."""
    grid = np.argwhere(np.ones((SIDE, SIDE), bool))
    covered, width, effective, binomial = [], [], [], []
    for seed in range(draws):
        c = composition(field(length, np.random.default_rng(seed)).ravel(), grid, clusters=3)
        covered.append((c.low <= SHARES) & (c.high >= SHARES))
        width.append(c.high - c.low)
        effective.append(c.effective)
        reach = 1.96 * np.sqrt(c.shares * (1 - c.shares) / len(grid))
        binomial.append(np.abs(c.shares - SHARES) <= reach)
    return float(np.mean(covered)), float(np.mean(width)), float(np.mean(effective)), float(np.mean(binomial))


def cohort(subjects: int, factor: float, seed: int) -> Array:
    """Tiles (4 clusters, slides): two slides a subject; the first half of the subjects has `factor` times of cluster 1."""
    draw = np.random.default_rng(seed)
    mixtures = np.repeat(draw.dirichlet((8, 6, 4, 2), subjects), 2, axis=0)
    mixtures[:subjects, 0] *= factor
    return np.stack([draw.multinomial(400, m / m.sum()) for m in mixtures], 1)


def findings(subjects: int, factor: float, draws: int) -> tuple[float, float, float]:
    """Shares of draws in which cluster 1, any cluster, and a chi-squared test over tiles show a difference."""
    names = [f"s{i // 2}" for i in range(2 * subjects)]
    groups = ["case"] * subjects + ["control"] * subjects
    first, any_, tiles = [], [], []
    for seed in range(draws):
        counts = cohort(subjects, factor, seed)
        q = [d.q for d in compare_groups(counts, groups, subjects=names).differences]
        first.append(q[0] <= 0.05)
        any_.append(min(q) <= 0.05)
        tiles.append(
            chi2_contingency(np.stack([counts[:, :subjects].sum(1), counts[:, subjects:].sum(1)])).pvalue <= 0.05
        )
    return float(np.mean(first)), float(np.mean(any_)), float(np.mean(tiles))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    print(f"95 % intervals of a slide's shares, {SIDE} x {SIDE} tiles, {args.draws} slides")
    print(f"{'smoothed over':<16}{'coverage':>10}{'width':>8}{'effective tiles':>17}{'binomial coverage':>19}")
    for length in (0, 1, 2, 4, 8):
        c, w, e, b = coverage(length, args.draws)
        print(f"{length:<16}{c:>10.3f}{w:>8.3f}{e:>17.0f}{b:>19.3f}")
    print(f"\ngroups of equal size, share of {args.draws} cohorts with q <= 0.05")
    print(
        f"{'subjects':<10}{'cluster 1 times':>16}{'cluster 1 found':>17}{'any found':>11}{'over tiles, p <= 0.05':>23}"
    )
    for subjects in (6, 8, 16, 32):
        for factor in (1.0, 1.5, 3.0):
            f, a, t = findings(subjects, factor, args.draws)
            print(f"{subjects:<10}{factor:>16g}{f:>17.3f}{a:>11.3f}{t:>23.3f}")


if __name__ == "__main__":
    main()
