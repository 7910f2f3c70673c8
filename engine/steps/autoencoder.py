"""train: the step that trains the autoencoder, or keeps a frozen encoder, for every run that trains on tiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...stores.array import StoredArray
from ...stores.frame import Array
from ..compute.machine import bf16_instructions
from ..pipeline.job import Job
from ..pipeline.outputs import model
from ..pipeline.progress import ProgressFile
from ..pipeline.step import Step, gang, once
from ..pipeline.unit import Outcome, Unit
from ..steps.settings import SampledSettings, TileSettings
from .checkpoints import ModelRecord, checkpoint_slot, device_of, save_model
from .frozen_encoder import keep_encoder

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.networks.autoencoder import Autoencoder
    from ...models.networks.encoders import Trainable
    from ...models.replica import Replica
    from ...models.views.cubes import CubeViews
    from ...models.views.patches import Views
    from ..compute.fit import CheckpointSlot


NO_BF16 = (
    "the processor or GPU that trains has no instructions for bf16 and imitates them, which is slower than float32: leave out "
    "--training-dtype bf16 (the training begins anew then)"
)


def train_autoencoder(job: Job[TileSettings], unit: Unit, replica: Replica) -> Outcome:
    """Train the autoencoder on the sampled patches, by reconstruction; or keep the frozen encoder that the settings name.

    Of several sizes of patch each has an autoencoder of its own, the smaller ones on the middles of the sampled patches.
    """
    if job.settings.encoder_file:
        return Outcome() if replica.rank > 0 else keep_encoder(job, unit)
    from ...models.networks.nested import NestedAutoencoder, middle

    outcome = Outcome()
    with outcome.clock("read"):
        patches = all_patches(job)
    plan = budget_of(job, len(patches))
    with outcome.clock("compute"):
        fits = [_fit(job, unit, replica, middle(patches, side), plan) for side in job.settings.sides]
        if replica.rank > 0:
            return outcome
        network: Trainable = fits[-1].network
        if len(fits) > 1:
            network = NestedAutoencoder([one.network for one in fits])
            network.standardise([_embeddings(one.network, patches) for one in fits])
    outcome.notices += notices_of_bf16(job.settings)
    history = [row for one in fits for row in one.rows(named=len(fits) > 1)]
    with outcome.clock("write"):
        outcome.files += save_model(job, unit.step, network, partial(ModelRecord, history=history))
        for one in fits:
            one.slot.path.unlink(missing_ok=True)
    outcome.facts["steps"] = sum(one.steps for one in fits) // len(fits)
    if saved := [one for one in fits if one.steps < plan.reconstruction]:
        sides = f" of {' and '.join(str(one.network.patch) for one in saved)} px" if len(fits) > 1 else ""
        steps = " and ".join(str(one.steps) for one in saved)
        outcome.notices.append(
            f"the autoencoder{sides} was trained in {steps} of {plan.reconstruction} steps: the loss of held-out patches no "
            "longer fell"
        )
    outcome.facts["loss"] = sum(one.history[-1]["loss"] for one in fits) / len(fits)
    return outcome


@dataclass(frozen=True, slots=True)
class AutoencoderFit:
    """The autoencoder of one size of patch, trained."""

    network: Autoencoder
    history: list[dict[str, float]]
    slot: CheckpointSlot
    """Where its training would go on: of several sizes, those that are done are not done again after an interruption."""

    @property
    def steps(self) -> int:
        return int(self.history[-1]["step"]) + 1

    def rows(self, *, named: bool) -> list[dict[str, float]]:
        """The history; where there are several sizes, its figures are named by the size."""
        suffix = f" of {self.network.patch} px" if named else ""
        return [{k if k == "step" else f"{k}{suffix}": v for k, v in row.items()} for row in self.history]


def _fit(job: Job[TileSettings], unit: Unit, replica: Replica, patches: Array, plan: Any) -> AutoencoderFit:
    """Train an autoencoder of patches (n, c, y, x) or (n, c, z, y, x)."""
    from ...models.networks.autoencoder import Autoencoder
    from ...models.seeds import generator
    from ...models.training.reconstruction import Reconstruction
    from ..compute.fit import fit

    side, axes = patches.shape[-1], patches.ndim - 2
    source = generator(job.settings.seed, "autoencoder")
    # the mean over positions was measured on slides only
    network = Autoencoder(patches.shape[1], side, source=source, axes=axes, pooled=axes == 2).to(device_of(job))
    phase = Reconstruction(
        network,
        patches,
        plan.reconstruction,
        plan.batch,
        seed=job.settings.seed,
        views=views_of(job),
        replica=replica,
        early_stop=job.settings.early_stop,
        bf16=job.settings.trains_in == "bf16",
    )
    slot = checkpoint_slot(job, unit.step, "" if side == job.settings.side else f"{unit.step}-{side}")
    sides = job.settings.sides
    progress = ProgressFile(job.folder.out, part=sides.index(side), parts=len(sides))
    for notice in notices_of_bf16(job.settings):
        progress.warn(notice)
    history = fit(phase, slot, threads=job.settings.threads, progress_file=progress, replica=replica)
    return AutoencoderFit(network, history, slot)


def notices_of_bf16(settings: TileSettings) -> list[str]:
    """What to say where the processor or GPU of this worker can only imitate the arithmetic of the training."""
    if settings.trains_in != "bf16":
        return []
    if settings.device != "cuda":
        return [NO_BF16] if bf16_instructions() == () else []
    from ..compute.gpu_stream import gpu_readiness

    return [] if gpu_readiness()[1] else [NO_BF16]


def _embeddings(network: Autoencoder, patches: Array) -> Tensor:
    """Embeddings (N, F) of the middles of unchanged patches."""
    from ...models.networks.nested import middle
    from ...models.training.encoding import encode_views

    return encode_views(network, middle(patches, network.patch), views=1)[0]


def autoencoder_step() -> Step:
    """The step that trains the autoencoder, for every run that trains on tiles."""
    return Step(
        "autoencoder",
        "train autoencoder",
        train_autoencoder,
        once,
        settings=("encoder_file", "effort", "early_stop", "trains_in", "jitter", "threads", "gang", "device"),
        files=("encoder_file",),
        outputs=(model(r"autoencoder(-\d+)?"),),
        progress=True,
        ranks=gang,
    )


def all_patches(job: Job[SampledSettings]) -> Array:
    """Every sampled patch, (n, c, y, x) or (n, c, z, y, x), in memory, as training draws them repeatedly in random order."""
    return StoredArray.open(job.folder.samples / "patches").read_all()


def views_of(job: Job[TileSettings]) -> Views | CubeViews:
    """The augmentation that makes random views of patches."""
    views: Views | CubeViews = job.modality.views(job.settings.jitter)
    return views


def budget_of(job: Job[SampledSettings], patches: int) -> Any:
    from ...models.training.budget import budget

    return budget(patches, job.settings.effort)


def load_autoencoder(job: Job[TileSettings]) -> Any:
    """The run's encoder: the trained autoencoder, or a frozen encoder in evaluation mode."""
    from ...models.networks.encoders import encoder_of
    from ...models.training import checkpoint

    tensors, recipe = checkpoint.load_checkpoint(job.folder.model("autoencoder"))
    network = encoder_of(recipe).eval()
    checkpoint.load_weights(network, tensors, job.folder.model("autoencoder"))
    return network
