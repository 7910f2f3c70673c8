"""train: autoencoder, codes of a few views, heads for every K and seed, and the chosen clusterer fine-tuned end to end.

Four steps of one unit each. A new K changes the last two only: the autoencoder and the codes stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...stores.array import StoredArray
from ...stores.frame import Array
from ..pipeline.job import Job
from ..pipeline.progress import Beacon
from ..pipeline.step import _Ganged
from ..pipeline.unit import Outcome, Unit
from .checkpoints import aside_of, device_of, save_model

if TYPE_CHECKING:
    from ...models.replica import Share
    from ...models.views.cubes import CubeViews
    from ...models.views.patches import Views


class TrainAutoencoder(_Ganged):
    """Learn to describe patches."""

    name = "autoencoder"
    fields = ("effort", "jitter", "threads", "gang", "device")

    def take_part(self, job: Job, unit: Unit, share: Share) -> Outcome:
        from ...models.networks.autoencoder import Autoencoder
        from ...models.seeds import generator
        from ...models.training.reconstruction import Reconstruction
        from ..compute.fit import fit

        outcome = Outcome()
        with outcome.clock("read"):
            patches = all_patches(job)
        plan = budget_of(job, len(patches))
        with outcome.clock("compute"):
            source = generator(job.settings.seed, "autoencoder")
            axes = patches.ndim - 2
            network = Autoencoder(patches.shape[1], job.settings.patch, source=source, axes=axes).to(device_of(job))
            phase = Reconstruction(
                network,
                patches,
                plan.reconstruction,
                plan.batch,
                seed=job.settings.seed,
                views=views_of(job),
                share=share,
            )
            aside = aside_of(job, self.name)
            course = fit(phase, aside, threads=job.settings.threads, beacon=Beacon(job.folder.out), share=share)
        if share.rank > 0:
            return outcome
        with outcome.clock("write"):
            outcome.files += save_model(job, self.name, network, {"course": course})
            aside.path.unlink(missing_ok=True)
        outcome.facts["steps"] = plan.reconstruction
        outcome.facts["loss"] = course[-1]["loss"]
        return outcome


def all_patches(job: Job) -> Array:
    """Every sampled patch, (n, c, y, x), in memory: training draws them in any order, again and again."""
    return StoredArray.open(job.folder.samples / "patches").read_all()


def views_of(job: Job) -> Views | CubeViews:
    """What views of patches differ in."""
    from ...models.views.cubes import CubeViews
    from ...models.views.patches import Views

    kind = Views if job.folder.images == "slides" else CubeViews
    return kind(strength=job.settings.jitter)


def budget_of(job: Job, patches: int) -> Any:
    from ...models.training.budget import budget

    return budget(patches, job.settings.effort)


def load_autoencoder(job: Job) -> Any:
    from ...models.networks.autoencoder import Autoencoder
    from ...models.training import checkpoint

    tensors, recipe = checkpoint.load(job.folder.model("autoencoder"))
    network = Autoencoder(**recipe)
    checkpoint.fill(network, tensors, job.folder.model("autoencoder"))
    return network
