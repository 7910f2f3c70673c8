"""apply: writes the harmonized version of every image of the source sites, shard by shard, and its pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ....stores.array import written
from ....stores.files import write_json
from ....stores.frame import Box
from ....stores.source import Source
from ....stores.windows import windows_in_use
from ...compute.image_network import ImageNetwork
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.apply import groups_written
from ...steps.checkpoints import stated_weights
from ...steps.convert.geometry import reference_of
from ...steps.convert.pyramid import halve_level
from ...steps.convert.tissue import tissue
from ...steps.version_names import version_name
from ...tiling.stitch import Stitch, stitch
from .gan import GAN, load_gan
from .light import light_of
from .light_generator import load_light, shift_of
from .measure import measures_of, units_of
from .normalized import Normalized
from .settings import HarmonizeSettings
from .sites import sites_of
from .toned import toned
from .version import Version, version_image

if TYPE_CHECKING:
    from ....models.networks.receptive_field import ReceptiveField

TILES = {2: 512, 3: 128}
"""Axes of an image -> side of a tile."""


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """What harmonizes one image: the source it reads, and the network that is applied to its tiles."""

    source: Source
    network: Any
    """A module from tiles to tiles of the same shape."""
    field: ReceptiveField


def harmonize_units(job: Job[HarmonizeSettings], step: str) -> Iterator[Unit]:
    """One unit for each shard of each image of the source sites."""
    for image in sites_of(job).harmonized:
        record = job.slides[image]
        shard = version_shard(job)
        for box in record.frame.box.cut(shard):
            at = "-".join(str(a // s) for a, s in zip(box.start, shard, strict=True))
            yield Unit(step, f"{image}/{step}-{at}", image, box.start)


def version_units(job: Job[HarmonizeSettings], step: str) -> Iterator[Unit]:
    """One unit for each image of the source sites."""
    for image in sites_of(job).harmonized:
        yield Unit(step, f"{image}/{step}", image)


def version_shard(job: Job[HarmonizeSettings]) -> tuple[int, ...]:
    return job.modality.cut.shard


def harmonize(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Write one shard of an image's version."""
    image = job.stored(unit.slide)
    mask = tissue(job, unit.slide)
    box = Box(unit.start, tuple(a + s for a, s in zip(unit.start, version_shard(job), strict=True)))
    layer = Version(version_image(job, unit.slide), image, units_of(job, measures_of(job, unit.slide)), mask)
    model = generator_of(job, unit.slide)
    side = job.settings.tile or TILES[len(box.shape)]
    work = Stitch(model.source, network_of(job, model), layer, mask, side, exact(job, model))
    outcome = stitch(work, box & image.frames[0].box)
    if lost := outcome.facts.get("unreadable"):
        outcome.notices.append(f"{lost} pieces of the store cannot be decoded; their version was made of background")
    return outcome


def network_of(job: Job[HarmonizeSettings], model: Generator) -> ImageNetwork:
    """The network as tiles see it."""
    settings = job.settings
    return ImageNetwork(
        model.network,
        model.source.channels,
        halo_of(job, model),
        model.field.stride,
        settings.device,
        settings.dtype,
        settings.threads,
    )


def exact(job: Job[HarmonizeSettings], model: Generator) -> bool:
    """Whether tiles agree: their halo holds the receptive field."""
    return halo_of(job, model) >= model.field.reach


def halo_of(job: Job[HarmonizeSettings], model: Generator) -> int:
    """Cells around a tile: the receptive field's, or the setting's; a multiple of the stride."""
    return halo_on(model.field, job.settings.halo)


def halo_on(field: ReceptiveField, cells: int | None) -> int:
    """The halo of a network: that of its receptive field, or as many cells, rounded up to its stride."""
    return field.halo if cells is None else -(-cells // field.stride) * field.stride


def generator_of(job: Job[HarmonizeSettings], image: str) -> Generator:
    """The generator for one image, with the image as its source."""
    import torch

    torch.set_num_threads(job.settings.threads)  # the last digits of an image's shift depend on it
    site = job.slides[image].site
    measures = measures_of(job, image)
    parts = (job.stored(image), units_of(job, measures), tissue(job, image))
    name = GAN if job.settings.generator != "light" else light_of(job, site)
    path = job.folder.model(name)
    sha256 = stated_weights(path.with_suffix(".json"))
    if name == GAN:
        network: Any = resources().networks.get((path, sha256), lambda: load_gan(path, sha256))
        return Generator(Normalized(*parts), network, network.field)
    light: Any = resources().networks.get((path, sha256), lambda: load_light(path, sha256))
    tone = partial(toned, light.tone, measures=measures, shift=shift_of(light.shift, measures))
    return Generator(Normalized(*parts, tone), light, light.field)


def finish_version(job: Job[HarmonizeSettings], unit: Unit) -> Outcome:
    """Write the levels and the metadata of one image's version."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    stored = version_image(job, unit.slide)
    name = version_name(job.settings.to)
    with outcome.clock("write"):
        for level in range(1, len(stored.frames)):
            outcome.files += halve_level(stored, level, None)
        notes = {"from": record.site, "to": job.settings.to, "generator": job.settings.generator}
        outcome.files += stored.finish(
            name=name,
            reference=reference_of(record.frame),
            notes=notes,
            placement=record.placement,
            windows=() if stored.dtype == "uint8" else windows_in_use(stored),
        )
        folder = stored.path.parent / "zarr.json"
        write_json(folder, {"zarr_format": 3, "node_type": "group", "attributes": {}})
        outcome.files += [written(folder), *groups_written(job, unit.slide)]
    return outcome
