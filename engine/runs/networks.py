"""networks: the autoencoders of a run on whole volumes, one of all volumes and one of each fold, and the codes they give.

Two steps: `networks` (a training a unit, so that workers train side by side) and `encode` (codes and errors of all volumes).
A fold's network never saw the volumes that it is judged by; the one of all volumes makes the run's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SettingsError
from ...stores.array import ArraySpec, StoredArray, Written, written
from ...stores.frame import Array
from ..job import Job, Unit
from ..progress import Beacon
from ..run import Outcome
from .prepare import Volumes, grid_of
from .train import aside_of, device_of, save_model

if TYPE_CHECKING:
    from ...models.embedding import Objective, Task
    from ...models.share import Share

WHOLE = "all"
"""The fold that leaves nobody out."""
SPLITS = {"train": 0, "training": 0, "val": 0, "validation": 0, "test": 1}
"""Values of a column `split`: trained on, or judged by."""
CHUNK_BYTES = 1 << 26
CONTRASTIVE = 0.1
"""Usual temperature of supervised contrastive learning, whose codes have length 1."""
HELD = 20_000_000
"""Cells of a batch from which on blocks are computed twice rather than kept: a third more time, a fraction of the memory."""
ENCODED = 8
"""Volumes of a batch when codes are made; part of their digits."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the volumes in use, row by row."""

    classes: tuple[str, ...]
    labels: Array
    """int (n,), an index into `classes`; -1 where the class is unknown."""
    sites: Array
    """int (n,); -1 where the site is unknown."""
    subjects: Array
    """str (n,)"""


def known(job: Job) -> Known:
    records = list(job.slides.values())
    said = [r.extra.get(job.settings.label, "").strip() for r in records]
    classes = tuple(sorted({s for s in said if s}))
    sites = sorted({r.site for r in records if r.site})
    return Known(
        classes,
        np.array([classes.index(s) if s else -1 for s in said], np.int64),
        np.array([sites.index(r.site) if r.site else -1 for r in records], np.int64),
        np.array([r.group for r in records]),
    )


def folds_of(job: Job) -> dict[str, tuple[Array, Array]]:
    """Fold -> rows that its network is trained on, and rows that it is judged by.

    A column `split` of the list decides where it names both; else folds are drawn by subject, as even in classes as may be.
    """
    from ...models.probes import grouped_folds

    rows = np.arange(len(job.slides))
    folds = {WHOLE: (rows, rows)}
    if not job.settings.cv:
        return folds
    stated = np.array([SPLITS.get(r.extra.get("split", "").strip().lower(), -1) for r in job.slides.values()])
    if {0, 1} <= set(stated.tolist()):
        return folds | {"split": (np.flatnonzero(stated == 0), np.flatnonzero(stated == 1))}
    what = known(job)
    subjects = len(np.unique(what.subjects))
    for count in range(min(job.settings.cv, subjects // 2), 1, -1):
        drawn = grouped_folds(what.labels, what.subjects, count, job.settings.seed)
        if all(_enough(job, train) for train, _ in drawn):
            return folds | {f"fold-{i}": (np.sort(train), np.sort(test)) for i, (train, test) in enumerate(drawn, 1)}
    return folds


def _enough(job: Job, rows: Array) -> bool:
    """Whether a network can be trained on these rows: with two classes, or sites, where it tells them apart."""
    what, wanted = known(job), objective_of(job)
    classes, sites = (len(set(values[rows].tolist()) - {-1}) for values in (what.labels, what.sites))
    return (wanted.kind == "reconstruction" or classes > 1) and (wanted.site == 0 or sites > 1)


def why_not(job: Job) -> str:
    """Why there are fewer folds than were asked for, or none; empty where there are as many."""
    folds = set(folds_of(job)) - {WHOLE}
    if "split" in folds or len(folds) == job.settings.cv:
        return ""
    return (
        f"{job.settings.cv} folds were asked for, and there are {len(folds) or 'none'}: subjects, or subjects of a class, are "
        "too few for more."
    )


def refuse_what_cannot_work(job: Job) -> None:
    """Raises SettingsError, before any work, for settings that do not go with what is known of the volumes."""
    settings, records = job.settings, list(job.slides.values())
    columns = sorted({name for r in records for name in r.extra})
    if settings.label != "label" and not any(r.extra.get(settings.label) for r in records):
        raise SettingsError(
            f"--label {settings.label}: no volume has anything in a column of that name; there are "
            f"{', '.join(columns) or 'no columns'}."
        )
    rows = np.arange(len(records))
    if not _enough(job, rows):
        lacking = "sites (a column `site`)" if known(job).classes[1:] else f"classes (a column {settings.label!r})"
        raise SettingsError(
            f"the objective {objective_of(job).kind!r} tells cases apart by what is known of them, and these volumes have "
            f"fewer than two {lacking}. Name them in the list, or use --objective reconstruction without --adversary."
        )
    _refuse_shared_subjects(job)


def _refuse_shared_subjects(job: Job) -> None:
    if "split" not in (folds := folds_of(job)):
        return
    subjects = known(job).subjects
    both = sorted(set(subjects[folds["split"][0]]) & set(subjects[folds["split"][1]]))
    if both:
        raise SettingsError(
            f"{len(both)} subjects are on both sides of the column `split` ({', '.join(both[:5])} ...): the network would be "
            "judged by people that it has seen. Put each subject on one side."
        )


def objective_of(job: Job) -> Objective:
    """What codes are trained for: prototypes where two classes or more are known, unless it was said."""
    from ...models.embedding import Objective

    settings = job.settings
    kind = settings.objective
    if kind == "auto":
        kind = "prototypes" if len(known(job).classes) > 1 else "reconstruction"
    names = ("alpha", "temperature", "distance", "prototypes", "entropy")
    given = {name: getattr(settings, name) for name in names if getattr(settings, name) is not None}
    if kind == "contrastive":
        given.setdefault("temperature", CONTRASTIVE)
    return Objective(kind, **given, site=settings.adversary or 0.0, marks=settings.marks)


def task_of(job: Job, rows: Array) -> Task:
    from ...models.embedding import Task

    what = known(job)
    sites = what.sites[rows] if (what.sites >= 0).any() else None
    return Task(objective_of(job), what.labels[rows], sites)


def model_name(network: str, fold: str) -> str:
    return f"{network}-{fold}"


def trainings(job: Job) -> Iterator[tuple[str, str]]:
    """(network, fold) of every training; the one of all volumes first."""
    for network in job.settings.networks:
        for fold in folds_of(job):
            yield network, fold


class Networks:
    """Train every network on every fold."""

    name = "networks"
    fields = (
        *("code", "label", "objective", "alpha", "temperature", "distance", "prototypes", "entropy"),
        *("adversary", "marks", "cv", "seed", "effort", "threads", "gang", "device", "dtype"),
    )

    def units(self, job: Job) -> Iterator[Unit]:
        for network, fold in trainings(job):
            yield Unit(self.name, model_name(network, fold))

    def ranks(self, job: Job) -> int:
        return int(job.settings.gang)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        from ...models.share import ALONE

        return self.take_part(job, unit, ALONE)

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        import torch

        from ...models.budget import volume_budget
        from ...models.embedding import Embedding
        from ..card import failing
        from ..training import fit

        outcome = Outcome()
        name, fold = next(t for t in trainings(job) if model_name(*t) == unit.name)
        rows = folds_of(job)[fold][0]
        with outcome.clock("read"):
            volumes = Volumes(job, rows)
        with outcome.clock("compute"):
            network = network_of(job, name).to(device_of(job))
            task, settings = task_of(job, rows), job.settings
            cells = int(np.prod(grid_of(job).shape))
            learns = task.objective.kind != "reconstruction"
            plan = volume_budget(len(volumes), cells, settings.effort, classes=learns)
            network.checkpointing = plan.batch * cells > HELD
            torch.set_num_threads(settings.threads)  # a training begins with sums over volumes
            with failing():
                phase = Embedding(network, volumes, plan.steps, plan.batch, task=task, seed=settings.seed, share=share)
            aside = aside_of(job, self.name, unit.name)
            course = fit(phase, aside, threads=settings.threads, beacon=Beacon(job.folder.out), share=share)
        if share.rank > 0:
            return outcome
        with outcome.clock("write"):
            outcome.files += save_model(job, unit.name, network, {"course": course, "volumes": len(volumes)})
            aside.path.unlink(missing_ok=True)
        outcome.facts.update(steps=plan.steps, loss=course[-1]["loss"])
        return outcome


class Encode:
    """Codes of all volumes by every network, and what their reconstructions miss."""

    name = "encode"
    fields = ()

    def units(self, job: Job) -> Iterator[Unit]:
        for network, fold in trainings(job):
            yield Unit(self.name, model_name(network, fold))

    def execute(self, job: Job, unit: Unit) -> Outcome:
        import torch

        from ...models.codes import codes_of, squared_errors

        outcome = Outcome()
        with outcome.clock("read"):
            volumes, network = Volumes(job), load_network(job, unit.name).to(device_of(job))
        with outcome.clock("compute"):
            torch.set_num_threads(job.settings.threads)
            codes = codes_of(network, volumes, ENCODED)
            errors = squared_errors(network, volumes, ENCODED)
        with outcome.clock("write"):
            outcome.files += _store(job, f"codes/{unit.name}", codes) + _store(job, f"errors/{unit.name}", errors)
        outcome.facts["pixels"] = len(volumes) * int(np.prod(grid_of(job).shape))
        return outcome


def network_of(job: Job, name: str) -> Any:
    """An untrained network for the run's volumes; the same first weights in every fold."""
    from ...models.cae3d import PRESETS, preset
    from ...models.seeds import generator

    code = {} if "maps" in PRESETS[name] else {"code": job.settings.code}
    channels = next(iter(job.slides.values())).channels
    source = generator(job.settings.seed, "cae3d")
    network = preset(name, shape=grid_of(job).shape, channels=channels, source=source, **code)
    network.mixed_precision = job.settings.dtype == "bf16"
    return network


def load_network(job: Job, name: str) -> Any:
    """A trained network. Raises CorruptError where its file is not the one that was trained."""
    from ...models import checkpoint
    from ...models.cae3d import CAE3D

    path = job.folder.model(name)
    tensors, recipe = checkpoint.load(path, job.folder.read(f"models/{name}").get("sha256"))
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe.items()}
    network = CAE3D(**arguments)
    network.mixed_precision = job.settings.dtype == "bf16"
    checkpoint.fill(network, tensors, path)
    return network.eval()


def codes(job: Job, network: str, fold: str = WHOLE) -> Array:
    """float32 (volume in use, code)."""
    return StoredArray.open(job.folder.samples / "codes" / model_name(network, fold)).read_all()


def errors(job: Job, network: str, fold: str = WHOLE) -> Array:
    """Mean squared error of every volume's reconstruction, float64 (volume in use,)."""
    return StoredArray.open(job.folder.samples / "errors" / model_name(network, fold)).read_all()


def _store(job: Job, name: str, values: Array) -> list[Written]:
    names = ("volume", "feature")[: values.ndim]
    rows = max(1, min(len(values), CHUNK_BYTES // max(1, values[:1].nbytes)))
    chunk = (rows, *values.shape[1:])
    spec = ArraySpec(values.shape, values.dtype.name, chunk, chunk, names)
    array = StoredArray.create(job.folder.samples / name, spec)
    return [*(array.write(box, values[box.slices]) for box in spec.shards), written(array.path / "zarr.json")]
