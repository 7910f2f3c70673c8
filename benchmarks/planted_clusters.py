"""How many clusters does the engine say there are? Planted sets of points, drawn anew by each seed.

Blobs, equal and unequal in size and width, a hierarchy; and sets without any clusters: Gaussian, uniform, curved, skewed, with
heavy tails. A set is right where the recommended K is the planted one (for the hierarchy: either of its two).

    python benchmarks/planted_clusters.py --seeds 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from tile_engine.models.clustering.components import PrincipalSpace
from tile_engine.models.evaluation.stability import recommend, reproducibility

Array = npt.NDArray[np.float64]
AXES, POINTS = 16, 1500
UNEVEN = (0.6, 0.2, 0.1, 0.07, 0.03)
SCALES = np.linspace(1, 0.3, AXES)
"""Standard deviation along each axis: a few axes hold most of the variance, as in embeddings."""


def blobs(draw: np.random.Generator, centres: Array, sizes: Sequence[int], widths: Sequence[float] = ()) -> Array:
    """Gaussian blobs around centres, in a random rotation."""
    places = np.zeros((len(centres), AXES))
    places[:, : centres.shape[1]] = centres
    parts = [
        place + width * SCALES * draw.normal(size=(size, AXES))
        for place, size, width in zip(places, sizes, widths or [1.0] * len(sizes), strict=True)
    ]
    return np.concatenate(parts) @ np.linalg.qr(draw.normal(size=(AXES, AXES)))[0]


def apart(draw: np.random.Generator, count: int, axes: int, separation: float = 3.2) -> Array:
    """Random centres of which no two are nearer than 1.2 times the separation."""
    while True:
        centres = draw.normal(size=(count, axes)) * separation
        if pdist(centres).min() > 1.2 * separation:
            return centres


def blob_sizes(name: str) -> list[int]:
    """Points of each blob of a set, in order; none for a set without clusters."""
    if name.startswith("blobs of"):
        return [int(POINTS * share) for share in UNEVEN]
    counts = {"three blobs": 3, "five blobs": 5, "eight blobs": 8, "fourteen blobs": 14, "four equidistant blobs": 4}
    count = {**counts, "three pairs of blobs": 6, "wide and narrow blobs": 5}.get(name, 0)
    return [POINTS // count] * count if count else []


def sets(seed: int) -> Iterator[tuple[str, Array, tuple[int, ...]]]:
    """(name, points, right numbers of clusters)."""
    draw = np.random.default_rng(seed)
    for name, count, axes in (("three", 3, 4), ("five", 5, 6), ("eight", 8, 8), ("fourteen", 14, 10)):
        yield f"{name} blobs", blobs(draw, apart(draw, count, axes), [POINTS // count] * count), (count,)
    yield "four equidistant blobs", blobs(draw, np.eye(4) * 4.0, [POINTS // 4] * 4), (4,)
    pairs = np.array([[a * 9.0, b * 4.5] for a in range(3) for b in range(2)])
    yield "three pairs of blobs", blobs(draw, pairs, [POINTS // 6] * 6), (3, 6)
    name = "blobs of 60, 20, 10, 7 and 3 %"
    yield name, blobs(draw, apart(draw, 5, 6), blob_sizes(name)), (5,)
    places = np.array([[0.0, 0], [12, 0], [0, 10], [6, 10], [6, 16]])
    yield "wide and narrow blobs", blobs(draw, places, [POINTS // 5] * 5, [2, 2, 0.8, 0.8, 0.8]), (5,)
    yield "Gaussian", draw.normal(size=(POINTS, AXES)) * SCALES, (1,)
    yield "uniform", draw.uniform(size=(POINTS, AXES)) * SCALES, (1,)
    along = draw.uniform(0, 3, POINTS)
    curve = np.zeros((POINTS, AXES))
    curve[:, :3] = np.stack([np.cos(along) * 6, np.sin(along) * 6, along * 1.3], 1)
    yield "curve", curve + draw.normal(size=curve.shape) * 0.6, (1,)
    yield "skewed", draw.gamma(2, size=(POINTS, AXES)) * SCALES, (1,)
    yield "heavy tails", draw.standard_t(4, size=(POINTS, AXES)) * SCALES, (1,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    said: dict[str, list[str]] = {}
    right: dict[str, int] = {}
    began = time.perf_counter()
    for seed in range(args.first, args.first + args.seeds):
        for name, points, truth in sets(seed):
            answer = recommend(reproducibility(PrincipalSpace.of(points).coordinates(points), range(2, 21), seed))
            said.setdefault(f"{name} ({' or '.join(map(str, truth))})", []).append(str(answer.clusters))
            key = f"{name} ({' or '.join(map(str, truth))})"
            right[key] = right.get(key, 0) + (answer.clusters in truth)
    for name, answers in said.items():
        print(f"{name:<42} {right[name]} of {args.seeds} right: {', '.join(answers)}")
    print(f"{sum(right.values())} of {args.seeds * len(said)} right, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
