"""Does the number of groups of some dozen subjects come out right: one where nothing is planted, else what is planted?

Subjects are 30 numbers with variances that fall as those of embeddings do; groups are shifted apart in a random direction.

    python benchmarks/subjects.py --subjects 24
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import numpy.typing as npt

from tile_engine.models.clustering.components import PrincipalSpace
from tile_engine.models.evaluation.stability import DOZENS, recommend, reproducibility

Array = npt.NDArray[np.generic]
FEATURES = 30
PLANTED = ((1, 0.0), (2, 3.0), (3, 5.0))
"""(groups, distance of a group's centre from the middle; the first feature has a standard deviation of 1)."""


def cohort(subjects: int, groups: int, distance: float, seed: int) -> Array:
    """Embeddings (subjects, features); groups are of equal size."""
    draw = np.random.default_rng(1000 + seed)
    points = draw.normal(size=(subjects, FEATURES)) / np.arange(1, FEATURES + 1) ** 0.6
    centres = draw.normal(size=(groups, FEATURES))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return np.asarray(points + distance * centres[np.arange(subjects) % groups])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subjects", type=int, nargs="+", default=[12, 24, 43])
    parser.add_argument("--sets", type=int, default=32)
    options = parser.parse_args()
    for subjects in options.subjects:
        for groups, distance in PLANTED:
            found: Counter[int] = Counter()
            for seed in range(options.sets if groups == 1 else options.sets // 4):
                values = cohort(subjects, groups, distance, seed)
                points = PrincipalSpace.unscaled(values, most=12).coordinates(values)
                found[recommend(reproducibility(points, range(2, 9), seed, redraws=DOZENS)).clusters] += 1
            print(f"{subjects} subjects, {groups} planted: {dict(sorted(found.items()))}", flush=True)


if __name__ == "__main__":
    main()
