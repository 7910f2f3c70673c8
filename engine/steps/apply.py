"""apply: the trained network over every tissue tile of every slide or volume, as layers on the tile grid.

Three steps: `tiles` (the network, a label shard a unit), `number` (clusters numbered by their share of all tissue tiles,
largest first, the same on every slide) and `labels` (per slide: `labels/clusters` and the metadata of its layers). Runs
without clusters have `tiles` and `layers` (the metadata alone).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from ...stores.array import Written, written
from ...stores.frame import Box, Frame
from ...stores.image import ImageSpec, StoredImage, StoredLayer, begin_groups, list_labels, pyramid
from ...stores.receipts import Ledger
from ..compute.patch_network import PatchNetwork
from ..compute.resources import resources
from ..pipeline.job import Job
from ..pipeline.unit import Outcome, Unit
from ..steps.settings import TileSettings
from ..tiling.execute import execute
from ..tiling.mask import Mask
from ..tiling.plan import Numerics, Plan
from ..tiling.samplers import grid, within
from ..tiling.tile import Tile
from .checkpoints import load_network, stated_weights
from .convert.geometry import image_spec, reference_of
from .convert.tissue import tissue

BATCH = 128


def tile_units(job: Job[TileSettings], step: str) -> Iterator[Unit]:
    side = cells_along(job) * job.settings.step
    for slide, record in job.slides.items():
        for box in record.frame.box.cut((side,) * len(record.shape)):
            at = "-".join(str(a // side) for a in box.start)
            yield Unit(step, f"{slide}/{at}", slide, box.start)


def apply_network(job: Job[TileSettings], unit: Unit) -> Outcome:
    """Every tissue tile through the network: embedding, and of clusterers confidence and their own cluster index + 1."""
    plan = plan_of(job, unit.slide)
    box = Box(unit.start, tuple(a + u for a, u in zip(unit.start, plan.unit, strict=True)))
    box &= plan.source.frames[0].box
    plan.check()
    outcome = execute(plan, box)
    if k := clusters(job):
        found = layer_image(job, unit.slide, "assignment").read(box.coarsen(plan.model.stride))
        outcome.facts["counts"] = np.bincount(found.ravel(), minlength=k + 1)[1:].tolist()
    return outcome


def plan_of(job: Job[TileSettings], slide: str) -> Plan:
    """What applying the run's network to one slide will do."""
    network = trained(job)
    mask = tissue(job, slide)
    step = network.stride
    layers = {name: StoredLayer(layer_image(job, slide, name)) for name in network.outputs}
    return Plan(
        source=job.image(slide),
        tiles=partial(_tissue_tiles, step=step, halo=network.halo, mask=mask),
        model=network,
        layers=layers,
        unit=tuple(cells_along(job) * s for s in step),
        numerics=Numerics(batch=BATCH, threads=1, dtype=job.settings.dtype),
    )


def _tissue_tiles(box: Box, step: tuple[int, ...], halo: tuple[int, ...], mask: Mask) -> Iterable[Tile]:
    return within(grid(box, step, halo), mask)


def trained(job: Job[TileSettings]) -> PatchNetwork:
    """The run's network, loaded once per process and per content of its file."""
    name = job.pipeline.network
    sha256 = stated_weights(job.folder.model(name).with_suffix(".json"))
    settings, path = job.settings, job.folder.model(name)
    options = (settings.patch, settings.step, settings.dtype, settings.device)

    def load() -> PatchNetwork:
        autoencoder, clusterer = load_network(path, sha256)
        return PatchNetwork(autoencoder, *options, clusterer)

    return resources().networks.get((path, sha256, *options), load)


def cells_along(job: Job[TileSettings]) -> int:
    """Cells of the tile grid along a unit, which is one shard of every layer."""
    return job.modality.cut.cells(job.settings.step)


def clusters(job: Job[TileSettings]) -> int:
    return trained(job).clusters


def cell_frames(job: Job[TileSettings], slide: str) -> tuple[Frame, ...]:
    """Frames of the tile grid, with as many levels as the image: the validators and vizarr want that of labels."""
    frame = job.slides[slide].frame
    return pyramid(frame.coarsen((job.settings.step,) * len(frame.shape)), levels=len(image_spec(job, slide).frames))


def layer_image(job: Job[TileSettings], slide: str, name: str) -> StoredImage:
    channels, dtype = trained(job).outputs[name]
    shard = (cells_along(job),) * len(job.slides[slide].shape)
    spec = ImageSpec(cell_frames(job, slide)[:1], channels, dtype, shard, shard)
    return StoredImage.ensure(job.folder.layer(slide, name), spec)


def write_layers(job: Job[TileSettings], unit: Unit) -> Outcome:
    """Per slide of a run without clusters: the metadata of its layers, last."""
    outcome = Outcome()
    with outcome.clock("write"):
        outcome.files += finish_layers(job, unit.slide, ["tissue"])
    return outcome


def finish_layers(job: Job[TileSettings], slide: str, labels: list[str]) -> list[Written]:
    """Metadata of a slide's layers, and the groups that name its labels."""
    files: list[Written] = []
    for name in trained(job).outputs:
        files += layer_image(job, slide, name).finish(name=name, reference=reference_of(job.slides[slide].frame))
    begin_groups(job.folder.slide(slide))
    list_labels(job.folder.slide(slide), labels)
    return files + [written(job.folder.slide(slide) / group / "zarr.json") for group in ("labels", "layers")]


def looked_at(job: Job[TileSettings], slide: str) -> int:
    """Tiles of a slide that the network saw, from its units' receipts."""
    receipts = Ledger(job.folder.out, "tiles", job.ledger_key("tiles", slide)).all(slide)
    return sum(int(receipt.facts["tiles"]) for receipt in receipts)
