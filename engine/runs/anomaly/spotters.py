"""spotters: the step that trains networks to see anomalies that are pasted into normal images, one unit a network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ....stores.array import written
from ....stores.files import write_durably
from ....stores.frame import Array
from ...pipeline.job import Job
from ...pipeline.outputs import Output, model
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import ModelRecord, checkpoint_slot, device_of, read_record, save_model
from .medium import Medium
from .settings import ScoreSettings

if TYPE_CHECKING:
    from ....models.anomaly.spots import SpotterReference
    from ....models.networks.spotter import Spotter

STEPS = 150
"""Steps of a network, at effort 1."""
WIDTHS = (16, 32, 64)
SOME_IMAGES = 2000
"""Images, at most, whose mean says where anomalies are pasted."""


def spotter_units(job: Job[ScoreSettings], step: str) -> Iterator[Unit]:
    for number in range(1, job.settings.spotters + 1):
        yield Unit(step, f"spotter-{number}")


def spotter_outputs() -> tuple[Output, ...]:
    return (model(r"spotter-\d+"), Output("models", r"spotter-\d+-reference\.safetensors"))


def train_spotter(job: Job[ScoreSettings], unit: Unit, *, medium: Medium) -> Outcome:
    """Train one network, and keep what it says of the images that it was trained on."""
    import torch

    from ....models.anomaly.spots import reference_of
    from ....models.batches import Selection
    from ....models.networks.spotter import Spotter
    from ....models.seeds import generator
    from ....models.training import checkpoint
    from ....models.training.pasting import Pasting, PastingPlan
    from ....models.views.pasted import PastedViews
    from ...compute.fit import fit

    outcome, settings = Outcome(), job.settings
    number = int(unit.name.rpartition("-")[2])
    with outcome.clock("read"):
        images = medium.training(job)
        some = images[_spread(len(images), SOME_IMAGES)]
    with outcome.clock("compute"):
        mean_YX = some.mean((0, 1), dtype=np.float64) / np.iinfo(some.dtype).max
        views = PastedViews(prior=medium.prior(mean_YX))
        plan = PastingPlan(max(10, round(STEPS * settings.effort)), views=views)
        network = Spotter(some.shape[1], WIDTHS, source=generator(settings.seed, "spotter", number)).to(device_of(job))
        phase = Pasting(network, images, plan, seed=settings.seed + 1000 * number)
        slot = checkpoint_slot(job, unit.step, unit.name)
        history = fit(phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
        reference = reference_of(network, Selection(images, _spread(len(images), medium.compared)))
    with outcome.clock("write"):
        outcome.files += save_model(job, unit.name, network, partial(ModelRecord, history=tuple(history)))
        path = job.folder.model(f"{unit.name}-reference")
        tensors = {name: torch.from_numpy(np.asarray(values)) for name, values in reference.tensors().items()}
        checkpoint.save_checkpoint(path, tensors, {}, write_durably)
        outcome.files.append(written(path))
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, loss=history[-1]["loss"], images=len(images))
    return outcome


def _spread(count: int, most: int) -> Array:
    """At most so many of the rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def load_spotters(job: Job[ScoreSettings]) -> tuple[list[Spotter], list[SpotterReference]]:
    """The networks in evaluation mode, and what they say of their training images. Raises CorruptError for changed files."""
    from ....models.anomaly.spots import reference_from
    from ....models.networks.spotter import spotter_of
    from ....models.training import checkpoint

    networks, references = [], []
    for number in range(1, job.settings.spotters + 1):
        name = f"spotter-{number}"
        path = job.folder.model(name)
        tensors, recipe = checkpoint.load_checkpoint(path, read_record(job, name, ModelRecord).sha256)
        network = spotter_of(recipe)
        checkpoint.load_weights(network, tensors, path)
        networks.append(network.eval())
        arrays, _ = checkpoint.load_checkpoint(job.folder.model(f"{name}-reference"))
        references.append(reference_from({key: tensor.numpy() for key, tensor in arrays.items()}))
    return networks, references
