"""Are probes of columns without any meaning at chance, and do their 95 % intervals hold it as often as they should?

Embeddings are random numbers, of which the first follows the column where it is told. Folds know nothing of the column. The
same predictions are judged with all folds taken together, and within folds as a run does.

    python benchmarks/probes.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tile_engine.models.evaluation.probes import grouped_folds, logistic, probe_figures

Array = npt.NDArray[np.generic]
COHORTS = ((12, 11, 2, 0.0), (12, 11, 5, 0.0), (60, 60, 5, 0.0), (12, 11, 5, 1.5), (60, 60, 5, 0.7))
"""Subjects of either value, folds, and the distance of the two means in deviations."""


def intervals(cohort: tuple[int, int, int, float], seed: int) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """(way to judge, (area, its interval's ends)) of one draw of a cohort."""
    many, few, count, distance = cohort
    draw, subjects = np.random.default_rng(seed), np.arange(many + few)
    values = draw.permutation(subjects < many).astype(int)
    embeddings = draw.normal(size=(len(values), 8))
    embeddings[:, 0] += distance * values
    folds = grouped_folds(np.zeros(len(values), int), subjects, count, seed)
    scores, fold = logistic(embeddings, values, folds), np.zeros(len(values), int)
    for number, (_, test) in enumerate(folds):
        fold[test] = number
    for name, groups in {"together": np.zeros(len(values), int), "within": fold}.items():
        found = probe_figures(values, scores, groups, subjects, draws=200)["auc"]
        yield name, (found.value, found.low, found.high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--cohort", type=int, nargs="*", default=range(len(COHORTS)), help="rows of the table")
    options = parser.parse_args()
    for cohort in (COHORTS[number] for number in options.cohort):
        table: dict[str, list[tuple[float, float, float]]] = {}
        for seed in range(options.draws):
            for name, found in intervals(cohort, seed):
                table.setdefault(name, []).append(found)
        for name, rows in table.items():
            value, low, high = np.array(rows).T
            shares = (high < 0.5).mean(), (low > 0.5).mean(), ((low <= value.mean()) & (value.mean() <= high)).mean()
            many, few, folds, distance = cohort
            figures = " | ".join(f"{figure:.3f}" for figure in (value.mean(), *shares))
            print(f"{many} + {few} | {folds} | {distance} | {name} | {figures}", flush=True)


if __name__ == "__main__":
    main()
