"""train: fits the variational autoencoder to the images of the training part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import ModelRecord, checkpoint_slot, device_of, read_record, save_model
from .medium import Medium
from .settings import ScoreSettings

if TYPE_CHECKING:
    from ....models.networks.vae import Vae
    from ....models.replica import Replica

VAE = "vae"
STEPS = 300
"""Steps of 64 images, at effort 1."""


def train_vae(job: Job[Any], unit: Unit, replica: Replica, *, medium: Medium) -> Outcome:
    """Fit the autoencoder."""
    from ....models.networks.vae import Vae
    from ....models.seeds import generator
    from ....models.training.variational import KUROTAKI2017, KUROTAKI2017_EPOCHS, Variational, VariationalPlan
    from ...compute.fit import fit

    outcome, settings = Outcome(), job.settings
    with outcome.clock("read"):
        images = medium.training(job)
        _, channels, side, _ = images[np.zeros(1, np.int64)].shape
    if settings.trains_as_source:
        epochs = max(1, round(KUROTAKI2017_EPOCHS * settings.effort))
        plan = KUROTAKI2017.of_epochs(len(images), epochs)
    else:
        plan = VariationalPlan(max(10, round(STEPS * settings.effort)))
    with outcome.clock("compute"):
        vae = Vae(side, channels, **settings.vae, source=generator(settings.seed, VAE)).to(device_of(job))
        phase = Variational(vae, images, plan, seed=settings.seed, replica=replica)
        slot = checkpoint_slot(job, unit.step)
        history = fit(
            phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out), replica=replica
        )
    if replica.rank > 0:
        return outcome
    with outcome.clock("write"):
        outcome.files += save_model(job, VAE, vae, partial(ModelRecord, history=tuple(history)))
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, loss=history[-1]["loss"], images=len(images))
    return outcome


def load_vae(job: Job[ScoreSettings]) -> Vae:
    """The trained autoencoder in evaluation mode. Raises CorruptError where the file's sha256 is not the recorded one."""
    from ....models.networks.vae import vae_of
    from ....models.training import checkpoint

    path = job.folder.model(VAE)
    tensors, recipe = checkpoint.load_checkpoint(path, read_record(job, VAE, ModelRecord).sha256)
    vae = vae_of(recipe)
    checkpoint.load_weights(vae, tensors, path)
    return vae.eval()
