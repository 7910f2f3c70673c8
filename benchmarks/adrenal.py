"""Do codes follow a disease? 1,584 adrenal glands of AdrenalMNIST3D, healthy or not, with and without metric learning.

Networks are fitted on the official training part, figures are of the test part with the training part as gallery; what is set
here was chosen on a quarter held out of the training and validation parts, never on the test part (`--choose` holds a quarter
of the training part out). Printed: mean and standard deviation over seeds of k-means agreement, retrieval and the error of
the reconstruction (RMSE in per cent of the intensity range), beside principal components of the same number and raw voxels.

    python benchmarks/adrenal.py --seeds 3
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tile_engine.models.evaluation.agreement import Spread, kmeans_agreement
from tile_engine.models.evaluation.cases import LabelledCases
from tile_engine.models.evaluation.probes import grouped_folds
from tile_engine.models.evaluation.retrieval import retrieval
from tile_engine.models.networks.cae3d import CAE3D
from tile_engine.models.seeds import generator
from tile_engine.models.training.components import Components
from tile_engine.models.training.embedding import Embedding
from tile_engine.models.training.encoding import embeddings_of, squared_errors
from tile_engine.models.training.objective import Objective, Task
from tile_engine.models.training.phases import train_phase
from tile_engine.models.views.volumes import VolumeViews

Array = npt.NDArray[np.generic]
WIDTHS = (16, 32, 64)
CODE = 150
SHOWN = ("accuracy", "balanced_accuracy", "ari", "nmi", "macro_precision@5", "macro_map", "knn_auc", "rmse")


@dataclass(frozen=True, slots=True)
class Part:
    """Volumes (n, 1, z, y, x) uint8 and their classes."""

    volumes: Array
    classes: Array

    def __getitem__(self, rows: Array) -> Part:
        return Part(self.volumes[rows], self.classes[rows])


def glands(part: str, side: int) -> Part:
    """A part of the official split, its 64³ voxels brought to `side`³ by the mean of each block."""
    root = Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = root / "mri" / "adrenalmnist3d_64.npz"
    if not path.exists():
        raise SystemExit(f"no {path}: set TILE_ENGINE_DATA to the folder that holds mri/adrenalmnist3d_64.npz")
    with np.load(path) as stored:
        volumes, classes = stored[f"{part}_images"], stored[f"{part}_labels"].ravel().astype(np.int64)
    block = 64 // side
    blocks = volumes.reshape(len(volumes), side, block, side, block, side, block)
    means = blocks.mean((2, 4, 6), dtype=np.float32).round().astype(np.uint8)
    return Part(means[:, None], classes)


def judged(fitted: tuple[Part, Array], test: tuple[Part, Array], errors: Array) -> dict[str, float]:
    """All figures of codes of both parts."""
    gallery, query = (LabelledCases(codes, part.classes) for part, codes in (fitted, test))
    figures = {name: spread.mean for name, spread in kmeans_agreement(gallery, query).items()}
    figures |= retrieval(gallery, query)
    figures["rmse"] = 100.0 * float(np.sqrt(np.mean(errors)))
    return figures


def network(fitted: Part, test: Part, objective: Objective, *, seed: int, steps: int) -> dict[str, float]:
    """Figures of a network trained on `fitted`."""
    start, side = time.monotonic(), fitted.volumes.shape[-1]
    net = CAE3D((side, side, side), widths=WIDTHS, embedding_size=CODE, source=generator(seed, "first weights"))
    net.mixed_precision = True
    views = VolumeViews(shift=2, turn=10, scale=0.05, mirror=True, brightness=0.0, noise=0.0, unchanged=0.5)
    task = Task(objective, labels=fitted.classes)
    phase = Embedding(net, fitted.volumes, steps, 48, task=task, seed=seed, views=views)
    train_phase(phase)
    codes = [embeddings_of(net, part.volumes, 64) for part in (fitted, test)]
    found = judged((fitted, codes[0]), (test, codes[1]), squared_errors(net, test.volumes, 64))
    show(f"  {objective.kind[:5]} {seed}, {time.monotonic() - start:.0f} s", [found])
    return found


def baselines(fitted: Part, test: Part) -> dict[str, dict[str, float]]:
    components = Components(fitted.volumes, CODE)
    codes = [components.embeddings(part.volumes) for part in (fitted, test)]
    raw = [part.volumes.reshape(len(part.volumes), -1) / np.float32(255) for part in (fitted, test)]
    return {
        f"{CODE} components": judged((fitted, codes[0]), (test, codes[1]), components.squared_errors(test.volumes)),
        "raw voxels": retrieval(
            *(LabelledCases(flat, part.classes) for flat, part in zip(raw, (fitted, test), strict=True))
        ),
    }


def show(name: str, rows: Iterable[dict[str, float]]) -> None:
    table = [[row.get(key, float("nan")) for key in SHOWN] for row in rows]
    spreads = [Spread.of(column) for column in zip(*table, strict=True)]
    print(f"{name:<20}" + "".join(f"{s.mean:>11.3f} ±{s.sd:>5.3f}" for s in spreads), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=32, choices=(16, 32, 64), help="voxels a side")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", action="append", choices=("plain", "metric"), help="this network alone")
    parser.add_argument("--choose", action="store_true", help="judge on a quarter of the training part instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    fitted, test = glands("train", args.side), glands("test", args.side)
    if args.choose:
        (kept, held), *_ = grouped_folds(fitted.classes, np.arange(len(fitted.classes)), 4)
        fitted, test = fitted[kept], fitted[held]
    print(f"{len(fitted.classes)} glands of {args.side}³ to fit, {len(test.classes)} to judge, {args.steps} steps")
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in SHOWN))
    for name, figures in baselines(fitted, test).items():
        show(name, [figures])
    objectives = {
        "plain": Objective(),
        "metric": Objective("prototypes", alpha=1.0, temperature=30.0, class_features=True),
    }
    objectives = {name: objectives[name] for name in args.only or objectives}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in objectives}
    for seed in range(args.seeds):
        for name, objective in objectives.items():
            rows[name].append(network(fitted, test, objective, seed=seed, steps=args.steps))
    for name, found in rows.items():
        show(name, found)


if __name__ == "__main__":
    main()
