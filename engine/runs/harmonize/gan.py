"""gan: trains the CycleGAN of a run: one generator to the target for all source sites."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....models.networks.discriminator import PatchDiscriminator
from ....models.networks.generators import ResNetGenerator, ThreePlanes, UNetGenerator, generator_of
from ....models.seeds import generator, numpy_generator
from ....models.training import checkpoint
from ....models.training.cyclegan import CycleGan, Pair, SiteNetworks, Weights
from ...compute.fit import fit
from ...pipeline.job import Job
from ...pipeline.progress import ProgressFile
from ...pipeline.unit import Outcome, Unit
from ...steps.checkpoints import checkpoint_slot, device_of, save_model
from .documents import GanRecord
from .matching import Matching
from .pieces import Pieces, pieces_of
from .settings import HarmonizeSettings
from .sites import check_sites, sites_of

if TYPE_CHECKING:
    from torch import nn

GAN = "generator"
"""Name of the model."""
STEPS = 2000
BATCHES = {2: 4, 3: 1}
"""Axes -> pieces of a site in a step."""
POOLS = {2: 50, 3: 10}
"""Axes -> earlier fakes that are kept."""
LAYERS = {2: 3, 3: 2}
"""Axes -> halvings of a discriminator: it sees 70 pixels, or 34 voxels."""


def train_gan(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Train the generators and discriminators; the generator to the target is kept."""
    import torch

    outcome = Outcome()
    settings, sites = job.settings, sites_of(job)
    check_sites(job)  # images may have been rejected meanwhile
    axes, side = settings.network_axes, settings.piece_side
    torch.set_num_threads(settings.threads)
    with outcome.clock("read"):
        *sources, target = pieces_of(job, (*sites.sources, sites.target))
    with outcome.clock("compute"):
        channels = target.channels
        networks = tuple(site_networks(job, i, channels) for i in range(len(sources)))
        forward = untrained(job, channels, "forward")
        device = device_of(job)
        for network in (forward, *(n for s in networks for n in (s.back, s.source_critic, s.target_critic))):
            network.to(device)
        matching = [Matching.between(job, part.images, target.images) for part in sources]
        phase = CycleGan(
            forward,
            networks,
            partial(_pair, job, sources, target, matching),
            max(10, round(STEPS * settings.effort)),
            piece=(channels, *(side,) * axes),
            weights=Weights(settings.cycle_weight, settings.identity, POOLS[axes]),
            seed=settings.seed,
        )
        slot = checkpoint_slot(job, unit.step, GAN)
        history = fit(phase, slot, threads=settings.threads, progress_file=ProgressFile(job.folder.out))
    with outcome.clock("write"):
        counts = tuple(len(part.images) for part in (*sources, target))
        record = partial(
            GanRecord,
            key=job.ledger_key(unit.step),
            held_out=tuple(sorted(sites.held_out)),
            why=sites.why,
            matched={site: tuple(m.columns) for site, m in zip(sites.sources, matching, strict=True)},
            sites=sites.sources,
            history=tuple(history),
            receptive_field=forward.field.size,
            images=counts,
        )
        outcome.files += save_model(job, GAN, forward, record)
        slot.path.unlink(missing_ok=True)
    outcome.facts.update(steps=phase.steps, loss=history[-1]["loss"])
    return outcome


def load_gan(path: Path, sha256: str) -> nn.Module:
    """The generator to the target in evaluation mode; one of slices works along three axes of a volume.

    Raises CorruptError where the file's sha256 is another."""
    tensors, recipe = checkpoint.load_checkpoint(path, sha256)
    sliced = recipe.pop("sliced", False)
    network = generator_of(recipe)
    checkpoint.load_weights(network, tensors, path)
    network.eval().requires_grad_(False)
    return ThreePlanes(network) if sliced else network


def site_networks(job: Job[HarmonizeSettings], number: int, channels: int) -> SiteNetworks:
    """The networks of one source site, untrained."""
    axes, width, seed = job.settings.network_axes, job.settings.first_width, job.settings.seed
    critics = [
        PatchDiscriminator(channels, axes, max(8, width), LAYERS[axes], generator(seed, f"{of} critic", number))
        for of in ("source", "target")
    ]
    return SiteNetworks(untrained(job, channels, f"back{number}"), *critics)


def untrained(job: Job[HarmonizeSettings], channels: int, name: str) -> UNetGenerator | ResNetGenerator:
    """A generator with drawn weights."""
    axes = job.settings.network_axes
    recipe = {"kind": job.settings.generator, "channels": channels, "axes": axes, "width": job.settings.first_width}
    network = generator_of(recipe, generator(job.settings.seed, name))
    if axes < len(job.modality.axes):
        network.recipe["sliced"] = True
    return network


def _pair(
    job: Job[HarmonizeSettings], sources: list[Pieces], target: Pieces, matching: list[Matching], index: int
) -> tuple[int, Pair]:
    import torch

    site = int(numpy_generator(job.settings.seed, "site", index).integers(len(sources)))
    count = BATCHES[job.settings.network_axes]
    a, mask_a, chosen = sources[site].draw(index, count)
    b, mask_b, _ = target.draw(index, count, matching[site].weights(chosen))
    tensors: list[Any] = [torch.from_numpy(values) for values in (a, mask_a, b, mask_b)]
    tensors[0], tensors[2] = tensors[0] * tensors[1], tensors[2] * tensors[3]
    return site, Pair(*tensors)
