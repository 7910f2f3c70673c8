"""Are films of ill lungs told from normal ones, at a threshold and with probabilities that hold on others? Does a start help?

Real films (cxr/kermany-224 of the test data: 500 normal, 500 pneumonia, children), all decoded, averaged to grey squares of one
side and divided by person: 60 % train, 15 % decide when to stop, the calibration (Platt) and the threshold, 25 % are judged.

* `networks`: each network of `--networks` from drawn weights, and a logistic regression on 32 x 32 pixels. Settings were chosen
  on seeds from 10 on; seeds 0 to 4 are the report.
* `transfer`: VGG16 trains on normal against bacterial pneumonia (half of the normal films). 51 other films, 23 normal and 28
  of viral pneumonia, are drawn by seed; from drawn and from trained weights, all stages of unfreezing are judged on the rest.

    python benchmarks/classify.py networks --seeds 0 1 2 3 4 --results /tmp/classify.jsonl
    python benchmarks/classify.py transfer --draws 20 --side 64 --results /tmp/transfer.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from tile_engine.models.evaluation.calibration import fit_platt
from tile_engine.models.evaluation.classification_figures import Estimate, binary_figures
from tile_engine.models.evaluation.operating_point import majority_accuracy, threshold_for
from tile_engine.models.evaluation.ranking import auroc
from tile_engine.models.evaluation.subject_splits import Split, subject_split
from tile_engine.models.networks.film_network import FilmNetwork
from tile_engine.models.networks.film_networks import film_network
from tile_engine.models.seeds import generator, numpy_generator
from tile_engine.models.training.film_inference import logits_of
from tile_engine.models.training.film_training import FilmPlan, FilmTraining, LabelledFilms
from tile_engine.models.training.phases import train_phase
from tile_engine.models.training.transfer import Stage, scratch_rates, start_from, transfer
from tile_engine.models.views.films import UNCHANGED

Array = npt.NDArray[Any]
NAME = re.compile(r"(person\d+)_(bacteria|virus)|(?:NORMAL2-)?(IM-\d+)")
PLANS = {
    "film_resnet": FilmPlan(steps=300, batch=32, check=30, patience=5),
    "mnist_cnn": FilmPlan(steps=240, batch=128, check=20, patience=6, smoothing=0.0, decay=0.0, views=UNCHANGED),
    "vgg16": FilmPlan(steps=300, batch=32, check=30, patience=5),
}
SIDES = {"film_resnet": 96, "mnist_cnn": 100, "vgg16": 64}
NORMAL_FILMS, ILL_FILMS = 23, 28
"""Films of the small task."""
STAGE_PLAN = FilmPlan(steps=24, batch=16, check=6, patience=2)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Films and what their names say."""

    films: Array
    """uint8 (n, 1, side, side)."""
    labels: Array
    """1 = pneumonia."""
    subjects: Array
    kinds: Array
    """normal, bacteria, virus."""

    def rows(self, index: Array) -> LabelledFilms:
        return LabelledFilms(self.films[index], self.labels[index])


def cohort(side: int) -> Cohort:
    """All films, each averaged to `side` pixels; file sizes and compression of the classes differ, the arrays do not say so."""
    root = Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    paths = sorted((root / "cxr" / "kermany-224" / "train").glob("*/*.jpeg"))
    if not paths:
        raise SystemExit(f"no films below {root}: set TILE_ENGINE_DATA to the folder that holds cxr/kermany-224")
    films, labels, subjects, kinds = [], [], [], []
    for path in paths:
        match = NAME.match(path.name)
        assert match, path
        films.append(np.asarray(Image.open(path).convert("L").resize((side, side), Image.Resampling.BOX)))
        labels.append(int(path.parent.name == "PNEUMONIA"))
        subjects.append(match[1] or match[3])
        kinds.append(match[2] or "normal")
    return Cohort(np.stack(films)[:, None], np.array(labels), np.array(subjects), np.array(kinds))


def trained(name: str, data: Cohort, split: Split, seed: int, steps: int | None) -> FilmNetwork:
    """A network trained from drawn weights."""
    network = film_network(name, 2, data.films.shape[-1], source=generator(seed, "benchmark", name))
    plan = PLANS[name] if steps is None else FilmPlan(steps=steps, batch=PLANS[name].batch, views=PLANS[name].views)
    phase = FilmTraining(
        network, data.rows(split.train), data.rows(split.validation), plan, rates=scratch_rates(network), seed=seed
    )
    train_phase(phase)
    return phase.finish()


def pixel_logits(data: Cohort, split: Split) -> tuple[Array, Array]:
    """Logits of the validation and test films by a logistic regression on their pixels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    flat = data.films.reshape(len(data.films), -1).astype(np.float64)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=2000))
    model.fit(flat[split.train], data.labels[split.train])
    half = model.decision_function(flat) / 2
    return tuple(np.stack([-half[rows], half[rows]], 1) for rows in (split.validation, split.test))  # type: ignore[return-value]


def judged(data: Cohort, split: Split, validation: Array, test: Array) -> dict[str, Estimate]:
    """Figures of the test films, calibrated and cut by the validation films."""
    labels = data.labels[split.validation]
    calibration = fit_platt(validation, labels)
    threshold = threshold_for(labels, calibration(validation)[:, 1])
    return binary_figures(data.labels[split.test], calibration(test)[:, 1], threshold, data.subjects[split.test])


def networks(options: argparse.Namespace) -> None:
    for name in options.networks:
        data = cohort(options.side or SIDES.get(name, 32))
        for seed in options.seeds:
            split = subject_split(data.labels, data.subjects, seed=seed)
            started = time.process_time()
            if name == "pixels":
                logits = pixel_logits(data, split)
            else:
                network = trained(name, data, split, seed, options.steps)
                logits = tuple(logits_of(network, data.films[rows]) for rows in (split.validation, split.test))
            figures = judged(data, split, *logits)
            line = {key: [round(e.value, 4), round(e.low, 4), round(e.high, 4)] for key, e in figures.items()}
            majority = majority_accuracy(data.labels[split.train], data.labels[split.test])
            keep(
                options.results, network=name, seed=seed, cpu_s=time.process_time() - started, majority=majority, **line
            )
    summary(options.results, "network")


def small_task(data: Cohort, pool: Array, seed: int) -> tuple[Array, Array]:
    """(rows of 23 normal films and 28 of viral pneumonia, one a subject; rows of the pool's other subjects)."""
    draw = numpy_generator(seed, "small task")
    chosen: list[int] = []
    for label, count in ((0, NORMAL_FILMS), (1, ILL_FILMS)):
        rows = draw.permutation(pool[data.labels[pool] == label])
        _, first = np.unique(data.subjects[rows], return_index=True)
        chosen += rows[np.sort(first)[:count]].tolist()
    rest = pool[~np.isin(data.subjects[pool], data.subjects[chosen])]
    return np.sort(chosen), rest


def transfers(options: argparse.Namespace) -> None:
    data = cohort(options.side or SIDES["vgg16"])
    normal = np.flatnonzero(data.kinds == "normal")
    halves = subject_split(np.arange(len(normal)) % 2, data.subjects[normal], shares=(0.5, 0.0, 0.5), seed=99)
    bacterial = np.isin(data.subjects, data.subjects[data.kinds == "bacteria"]) & (data.kinds == "bacteria")
    first = np.sort(np.concatenate([normal[halves.train], np.flatnonzero(bacterial)]))
    viral = (data.kinds == "virus") & ~np.isin(data.subjects, data.subjects[bacterial])
    pool = np.sort(np.concatenate([normal[halves.test], np.flatnonzero(viral)]))
    inner = subject_split(data.labels[first], data.subjects[first], shares=(0.8, 0.2, 0.0), seed=99)
    started = time.process_time()
    split = Split(first[inner.train], first[inner.validation], first[inner.test])
    start = trained("vgg16", data, split, 99, options.steps)
    area = auroc(data.labels[split.validation], np.diff(logits_of(start, data.films[split.validation]))[:, 0])
    keep(options.results, pretraining="bacteria", auroc=[area], cpu_s=time.process_time() - started)
    weights = {key: tensor.clone() for key, tensor in start.state_dict().items()}
    for draw in range(options.draws):
        chosen, rest = small_task(data, pool, draw)
        rest = rest[:: options.every]
        part = subject_split(data.labels[chosen], data.subjects[chosen], shares=(0.75, 0.25, 0.0), seed=draw)
        for arm in ("drawn", "trained"):
            network = film_network("vgg16", 2, data.films.shape[-1], source=generator(draw, "benchmark", "vgg16"))
            if arm == "trained":
                start_from(network, weights)
            started = time.process_time()

            def after(stage: Stage, net: FilmNetwork, arm: str = arm, draw: int = draw, rest: Array = rest) -> None:
                margin, labels = np.diff(logits_of(net, data.films[rest]))[:, 0], data.labels[rest]
                figures = {"auroc": [auroc(labels, margin)], "sensitivity": [(margin[labels == 1] >= 0).mean()]}
                specificity = [(margin[labels == 0] < 0).mean()]
                keep(options.results, stage=f"{arm} {stage.name}", seed=draw, **figures, specificity=specificity)

            training, validation = data.rows(chosen[part.train]), data.rows(chosen[part.validation])
            transfer(network, training, validation, STAGE_PLAN, seed=draw, after=after)
            print(f"draw {draw} {arm}: {time.process_time() - started:.0f} s of a core", flush=True)
    summary(options.results, "stage")


def keep(results: Path, **line: Any) -> None:
    """Print a line, and append it to the results."""
    text = json.dumps({k: round(float(v), 4) if isinstance(v, float) else v for k, v in line.items()})
    print(text, flush=True)
    with results.open("a") as file:
        file.write(text + "\n")


def summary(results: Path, key: str) -> None:
    """Mean over seeds of each figure, and the 95 % interval of that mean (normal, over seeds)."""
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in map(json.loads, results.read_text().splitlines()):
        if key in line:
            for name, value in line.items():
                if isinstance(value, list):
                    table[line[key]][name].append(value[0])
    for name, figures in table.items():
        print(f"\n{name}, {len(figures['auroc'])} seeds")
        for figure, values in figures.items():
            half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            print(f"  {figure:28} {np.mean(values):.3f} ± {half:.3f}   {min(values):.3f} to {max(values):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("networks", "transfer"))
    parser.add_argument(
        "--networks", nargs="*", default=["pixels", "film_resnet"], help="pixels, film_resnet, mnist_cnn, vgg16"
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--side", type=int, help="pixels a side (default: the network's)")
    parser.add_argument("--steps", type=int, help="steps of a training from drawn weights")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="transfer: judge every n-th of the other films")
    parser.add_argument("--results", type=Path, default=Path("classify.jsonl"), help="lines of JSON, appended")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    {"networks": networks, "transfer": transfers}[options.part](options)


if __name__ == "__main__":
    main()
