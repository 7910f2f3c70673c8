"""merging: by which similarity should fine clusters be merged? Planted blobs, of which the right clusters are known.

24 fine clusters (k-means) are merged down to the planted number by each similarity; printed is the adjusted Rand index of that
level with the planted blobs, mean and range over seeds.

```text
graph           edges between nearest neighbours for the clusters' sizes (what the tree uses)
centres         distance of centres, Ward's criterion
confusion       product of the probabilities that a point belongs to two clusters, over all points
co-assignment   how often points of two clusters have one cluster, over eight other k-means of drawn points
```
    python benchmarks/merging.py --seeds 5
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from planted_clusters import blob_sizes, sets
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from tile_engine.models.clustering.agglomeration import merges_of, neighbour_edges
from tile_engine.models.clustering.components import PrincipalSpace
from tile_engine.models.clustering.distances import nearest_centre, squared_gaps
from tile_engine.models.clustering.partitions import k_means
from tile_engine.models.clustering.tree import cut

Array = npt.NDArray[np.float64]
FINE, OTHERS = 24, 8
Merged = Callable[[Array, Array, Array, int], Array]
"""(points, fine label of each point, centres, clusters) -> cluster of each fine cluster."""


def graph(points: Array, labels: Array, centres: Array, clusters: int) -> Array:
    return cut(merges_of(neighbour_edges(points, labels, len(centres))), len(centres), clusters)


def by_centres(points: Array, labels: Array, centres: Array, clusters: int) -> Array:
    """Ward's criterion on the points' own centres, each as often as it has points."""
    repeated = np.repeat(np.arange(len(centres)), np.maximum(1, np.bincount(labels, minlength=len(centres)) // 10))
    found = fcluster(linkage(centres[repeated], "ward"), clusters, "maxclust")
    return np.array([found[repeated == i][0] for i in range(len(centres))])


def confusion(points: Array, labels: Array, centres: Array, clusters: int) -> Array:
    gaps = squared_gaps(points, centres)
    width = gaps.min(1).mean() / points.shape[1]  # variance along an axis inside a cluster
    weights = np.exp(-(gaps - gaps.min(1, keepdims=True)) / (2 * width))
    probabilities = weights / weights.sum(1, keepdims=True)
    return cut(merges_of(probabilities.T @ probabilities), len(centres), clusters)


def co_assignment(points: Array, labels: Array, centres: Array, clusters: int) -> Array:
    together = np.zeros((len(centres),) * 2)
    for seed in range(OTHERS):
        drawn = np.unique(np.random.default_rng(seed).integers(0, len(points), len(points)))
        other = nearest_centre(points, k_means(points[drawn], FINE, seed).cluster_centers_)
        counts = np.zeros((len(centres), FINE))
        np.add.at(counts, (labels, other), 1.0)
        together += counts @ counts.T
    return cut(merges_of(together), len(centres), clusters)


WAYS: dict[str, Merged] = {
    "graph": graph,
    "centres": by_centres,
    "confusion": confusion,
    "co-assignment": co_assignment,
}


def figures(seed: int) -> Iterator[tuple[str, str, float]]:
    for name, points, right in sets(seed):
        sizes = blob_sizes(name)
        if not sizes:
            continue
        truth = np.repeat(np.arange(len(sizes)), sizes)
        space = PrincipalSpace.of(points).coordinates(points)
        fine = k_means(space, FINE, seed)
        for way, merged in WAYS.items():
            found = merged(space, fine.labels_, fine.cluster_centers_, max(right))[fine.labels_]
            yield name, way, adjusted_rand_score(truth, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(parser.parse_args().seeds):
        for name, way, value in figures(seed):
            rows.setdefault(name, {}).setdefault(way, []).append(value)
    print(f"{'':<34}" + "".join(f"{way:>22}" for way in WAYS))
    for name, by_way in rows.items():
        cells = (f"{np.mean(v):.2f} ({min(v):.2f} to {max(v):.2f})" for v in by_way.values())
        print(f"{name:<34}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
