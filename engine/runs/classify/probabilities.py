"""probabilities: what the networks that did not see a film's subject say of it, and maps of where, beside the films.

```text
films.zarr/probability (repeat, film, class) float32    mean over the repeat's networks that judge the film; nan: none does
          /threshold (repeat, film) float32             probability of the second of two classes from which it is named
          /gradcam (film, y, x) float16                 evidence for what the first of these networks names
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....stores.array import ArraySpec, StoredArray, written
from ....stores.folder import Folder
from ....stores.frame import Array, Box
from ...compute.gpu_stream import gpu_errors
from ...pipeline.job import Job
from ...pipeline.outputs import Output
from ...pipeline.step import per_image
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import device_of
from ...steps.films.layout import IMAGES, first_row
from ...steps.split_column import TEST
from .folds import folds_of, parts_of
from .networks import calibration_of, load_classifier
from .settings import JudgedFilmSettings

PROBABILITY, THRESHOLD, GRADCAM = "probability", "threshold", "gradcam"


def plan_outputs() -> tuple[Output, ...]:
    return (Output("films.zarr", rf"({PROBABILITY}|{THRESHOLD}|{GRADCAM})/zarr\.json"),)


def batch_outputs() -> tuple[Output, ...]:
    """The shards of a batch."""
    return (
        Output(f"films.zarr/{PROBABILITY}/c/0/{{image}}/0"),
        Output(f"films.zarr/{THRESHOLD}/c/0/{{image}}"),
    )


def gradcam_outputs() -> tuple[Output, ...]:
    return (Output(f"films.zarr/{GRADCAM}/c/{{image}}", "0/0"),)


def plan_probabilities(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Write the metadata of the arrays, before any batch."""
    outcome, root = Outcome(), job.folder.films
    folds, images = folds_of(job.folder), StoredArray.open(root / IMAGES).spec
    repeats, classes, films, batch = folds.repeats, len(folds.classes), images.shape[0], images.shard[0]
    specs = {
        PROBABILITY: ArraySpec(
            (repeats, films, classes),
            "float32",
            (repeats, batch, classes),
            (repeats, batch, classes),
            ("repeat", "film", "class"),
        ),
        THRESHOLD: ArraySpec((repeats, films), "float32", (repeats, batch), (repeats, batch), ("repeat", "film")),
    }
    if job.settings.gradcam:
        specs[GRADCAM] = replace(images, dtype="float16")
    for name, spec in specs.items():
        StoredArray.create(root / name, spec)
        outcome.files.append(written(root / name / "zarr.json"))
    return outcome


@dataclass(frozen=True, slots=True)
class Batch:
    """The films of a batch, and which networks judge them."""

    box: Box
    films: Array
    """(n, 1, side, side) uint8."""
    judging: dict[str, Array]
    """Network -> places in the batch of the films that it judges; networks of one site judge none here."""


def batch_of(job: Job[Any], image: str) -> Batch:
    count, side, _ = job.slides[image].shape
    first = first_row(job, image)
    box = Box((first, 0, 0), (first + count, side, side))
    parts, folds = parts_of(job.folder), folds_of(job.folder)
    judging = {
        name: np.flatnonzero(part[first : first + count] == TEST)
        for name, part in parts.items()
        if not folds.networks[name].site
    }
    films = StoredArray.open(job.folder.films / IMAGES).read(box)[:, None]
    return Batch(box, films, {name: rows for name, rows in judging.items() if len(rows)})


def repeat_of(name: str) -> int:
    """Repeat of a network, from 0, by its name.

    >>> repeat_of("repeat-2-fold-5"), repeat_of("final")
    (1, 0)
    """
    match = re.fullmatch(r"repeat-(\d+)-fold-\d+", name)
    return int(match[1]) - 1 if match else 0


def judge_batch(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Probabilities of the films of one batch."""
    import torch

    from ....models.training.film_inference import logits_of

    outcome, root = Outcome(), job.folder.films
    folds = folds_of(job.folder)
    with outcome.clock("read"):
        batch = batch_of(job, unit.slide)
    count = len(batch.films)
    sums = np.zeros((folds.repeats, count, len(folds.classes)))
    thresholds, networks = np.zeros((folds.repeats, count)), np.zeros((folds.repeats, count), np.int64)
    with outcome.clock("compute"), gpu_errors():
        torch.set_num_threads(job.settings.threads)
        for name, rows in batch.judging.items():
            network, record = load_classifier(job, name)
            logits = logits_of(network.to(device_of(job)), batch.films[rows])
            repeat = repeat_of(name)
            sums[repeat, rows] += calibration_of(record.last)(logits)
            thresholds[repeat, rows] += record.last.threshold if record.last.threshold is not None else np.nan
            networks[repeat, rows] += 1
        shares = np.where(networks, networks, np.nan)
        probability, threshold = sums / shares[..., None], thresholds / shares
    with outcome.clock("write"):
        first, last = batch.box.start[0], batch.box.stop[0]
        array = StoredArray.open(root / PROBABILITY)
        outcome.files.append(
            array.write(Box((0, first, 0), (folds.repeats, last, len(folds.classes))), probability.astype(np.float32))
        )
        array = StoredArray.open(root / THRESHOLD)
        outcome.files.append(array.write(Box((0, first), (folds.repeats, last)), threshold.astype(np.float32)))
    outcome.facts["films"] = int((networks.sum(0) > 0).sum())
    return outcome


def gradcam_units(job: Job[JudgedFilmSettings], step: str) -> Iterator[Unit]:
    if job.settings.gradcam:
        yield from per_image(job, step)


def explain_batch(job: Job[JudgedFilmSettings], unit: Unit) -> Outcome:
    """Map the evidence for what is named, of the films of one batch; each by the first network that judges it."""
    import torch

    from ....models.explanation.gradcam import evidence_maps, spread
    from ....models.networks.autoencoder import to_float

    outcome = Outcome()
    with outcome.clock("read"):
        batch = batch_of(job, unit.slide)
    maps = np.zeros((len(batch.films), *batch.films.shape[2:]), np.float16)
    left = np.ones(len(batch.films), bool)
    with outcome.clock("compute"), gpu_errors():
        torch.set_num_threads(job.settings.threads)
        for name, judged in batch.judging.items():
            rows = judged[left[judged]]
            left[rows] = False
            network, record = load_classifier(job, name)
            device = device_of(job)
            for start in range(0, len(rows), EXPLAINED_AT_ONCE):
                some = rows[start : start + EXPLAINED_AT_ONCE]
                films = to_float(batch.films[some]).to(device)
                with torch.inference_mode():
                    named = named_classes(
                        calibration_of(record.last)(network.to(device)(films).cpu().numpy()), record.last.threshold
                    )
                evidence, _ = evidence_maps(network, films, named.tolist())
                for row, values in zip(some, evidence, strict=True):
                    cells = network.side / values.shape[0]
                    maps[row] = spread(values, cells, np.eye(3), maps.shape[1:])
    with outcome.clock("write"):
        outcome.files.append(StoredArray.open(job.folder.films / GRADCAM).write(batch.box, maps))
    return outcome


EXPLAINED_AT_ONCE = 32
"""Films whose maps are computed together."""


def named_classes(probabilities: Array, threshold: Any) -> Array:
    """The class that is named for each film, int (n,): of two by the threshold, else the most probable one."""
    if threshold is None:
        return np.asarray(probabilities.argmax(1))
    return np.asarray((probabilities[:, 1] >= threshold).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the networks say of all films."""

    probability: Array
    """(repeat, film, class) float32; nan where no network judges the film."""
    threshold: Array
    """(repeat, film) float32; nan where it is not judged, or there are more than two classes."""

    @property
    def judged(self) -> Array:
        """bool (film,)."""
        return np.asarray(np.isfinite(self.probability).all((0, 2)))

    @property
    def mean(self) -> Array:
        """(film, class): mean over repeats."""
        return np.asarray(self.probability.mean(0))

    def named(self, repeat: int | None = None) -> Array:
        """Class that is named for each film, int (film,), by one repeat or by the means over all; -1 where none is."""
        values = self.mean if repeat is None else self.probability[repeat]
        limits = self.threshold.mean(0) if repeat is None else self.threshold[repeat]
        judged = np.isfinite(values).all(1)
        named = np.full(len(values), -1)
        if values.shape[1] == 2:
            named[judged] = values[judged, 1] >= limits[judged]
        else:
            named[judged] = values[judged].argmax(1)
        return named


def judgement_of(folder: Folder) -> Judgement:
    return Judgement(*(_values(StoredArray.open(folder.films / name)) for name in (PROBABILITY, THRESHOLD)))


def _values(array: StoredArray) -> Array:
    """Shard by shard: a rejected batch has none."""
    values = np.full(array.spec.shape, np.nan, np.float32)
    for box in array.spec.shards:
        index = tuple(start // size for start, size in zip(box.start, array.spec.shard, strict=True))
        if array.shard_path(index).exists():
            values[box.slices] = array.read(box)
    return values
