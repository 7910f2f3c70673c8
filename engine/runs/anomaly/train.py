"""train: fits the variational autoencoder to the films of the training part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import ModelRecord, checkpoint_slot, device_of, read_record, save_model
from ...steps.films.rows import FilmRows
from .settings import SOURCE, ScoreSettings
from .split import TRAIN, parts_of

if TYPE_CHECKING:
    from ....models.networks.vae import Vae
    from ....models.replica import Replica

VAE = "vae"
STEPS = 2000
"""Steps of 64 films, at effort 1."""


def train_vae(job: Job[Any], unit: Unit, replica: Replica) -> Outcome:
    """Fit the autoencoder."""
    from ....models.networks.vae import Vae
    from ....models.seeds import generator
    from ....models.training.variational import KUROTAKI2017, KUROTAKI2017_EPOCHS, Variational, VariationalPlan
    from ...compute.fit import fit

    outcome, settings = Outcome(), job.settings
    with outcome.clock("read"):
        films = FilmRows(job.folder, np.flatnonzero(parts_of(job.folder) == TRAIN))
    if settings.network == SOURCE:
        epochs = max(1, round(KUROTAKI2017_EPOCHS * settings.effort))
        plan = KUROTAKI2017.of_epochs(len(films), epochs)
    else:
        plan = VariationalPlan(max(10, round(STEPS * settings.effort)))
    with outcome.clock("compute"):
        vae = Vae(films.side, 1, **settings.vae, source=generator(settings.seed, VAE)).to(device_of(job))
        phase = Variational(vae, films, plan, seed=settings.seed, replica=replica)
        slot = checkpoint_slot(job, unit.step)
        history = fit(
            phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out), replica=replica
        )
    if replica.rank > 0:
        return outcome
    with outcome.clock("write"):
        outcome.files += save_model(job, VAE, vae, partial(ModelRecord, history=tuple(history)))
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=plan.steps, loss=history[-1]["loss"], films=len(films))
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
