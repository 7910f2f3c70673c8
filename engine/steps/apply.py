"""apply: applies the trained network to every tissue tile of every slide or volume; writes layers on the tile grid.

Two steps: `tiles` (the network; one unit is one label shard) and `layers` (the metadata that makes its fields layers).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any, cast

import numpy as np

from ...stores.array import Written, written
from ...stores.frame import Box, Frame
from ...stores.image import ImageSpec, StoredImage, StoredLayer, begin_groups, labels_listed, list_labels, pyramid
from ...stores.receipts import Ledger
from ...stores.windows import windows_in_use
from ..compute.machine import available_memory, dask_worker
from ..compute.patch_network import PatchNetwork
from ..compute.resources import resources
from ..pipeline.job import Job
from ..pipeline.outputs import GROUPS, layer
from ..pipeline.step import Step, per_image
from ..pipeline.unit import Outcome, Unit
from ..steps.settings import PatchSettings
from ..tiling.execute import BegunUnit, begin, execute
from ..tiling.mask import Mask
from ..tiling.plan import Model, Numerics, Plan
from ..tiling.samplers import grid, within
from ..tiling.tile import Tile
from .checkpoints import load_network, stated_weights
from .convert.geometry import image_spec, reference_of
from .convert.tissue import tissue
from .normalization import prepare_of
from .precision import same_in_float32

BATCH = 128
TILES = "tiles"
"""Name of the step; other steps find its receipts by this name."""
OF_NETWORKS = ("dtype", "device")
"""Settings that determine the output of applying a trained network, beyond those of its training."""


def tiles_step(*fields: str, settings: tuple[str, ...] = OF_NETWORKS) -> Step:
    """The step that applies the run's model to every tissue tile and writes these fields."""
    return Step(
        TILES,
        "apply",
        apply_network,
        tile_units,
        settings=("step", "tissue_share", *settings),  # which tiles there are
        outputs=tuple(layer(name) for name in fields),
        reads="image",
    )


def layers_step(*fields: str) -> Step:
    """The step that writes the metadata of these fields, which makes them layers; it follows `tiles_step`."""
    outputs = (*(layer(name) for name in fields), GROUPS)
    return Step("layers", "write layers", write_layers, per_image, outputs=outputs)


def tile_units(job: Job[PatchSettings], step: str) -> Iterator[Unit]:
    for slide in job.slides:
        yield from _units_of(job, step, slide)


def _units_of(job: Job[PatchSettings], step: str, slide: str) -> Iterator[Unit]:
    side, record = cells_along(job) * job.settings.step, job.slides[slide]
    for box in record.frame.box.cut((side,) * len(record.shape)):
        at = "-".join(str(a // side) for a in box.start)
        yield Unit(step, f"{slide}/{at}", slide, box.start)


def apply_network(job: Job[PatchSettings], unit: Unit) -> Outcome:
    """Apply the run's model to the tissue tiles of one box; count its fine clusters, and the tiles unlike its training set."""
    plan = plan_of(job, unit.slide)
    box = _box(plan, unit)
    plan.check()
    outcome = execute(plan, box, _begun(job, plan, unit), partial(_begin_next, job, plan, unit))
    if k := clusters(job):
        cells = box.coarsen(plan.model.stride)
        fine = layer_image(job, unit.slide, "assignment").read(cells)[0]
        outcome.facts["counts"] = np.bincount(fine.ravel(), minlength=k + 1)[1:].tolist()
        embedding = layer_image(job, unit.slide, "embedding").read(cells)[:, fine > 0]
        outcome.facts["unlike"] = trained(job).unlike(embedding.T, fine[fine > 0])
        if job.settings.dtype == "bf16":
            outcome.facts["in_float32"] = same_in_float32(plan, trained(job), box, fine)
    if unit.slide == next(reversed(job.slides)) and not resources().begun:  # what follows needs the room
        resources().memory.clear()
    return outcome


def _box(plan: Plan, unit: Unit) -> Box:
    return Box(unit.start, tuple(a + u for a, u in zip(unit.start, plan.unit, strict=True))) & plan.source.frames[0].box


def _begun(job: Job[PatchSettings], plan: Plan, unit: Unit) -> BegunUnit:
    """The unit, whose pixels may have been read beside the unit before."""
    held = resources().begun
    while held:
        key, begun = held.popleft()
        if key == _key(job, unit):
            return cast(BegunUnit, begun)
        begun.drop()  # its slide was rejected, or another process did it
    return begin(plan, _box(plan, unit))


def _key(job: Job[PatchSettings], unit: Unit) -> tuple[Hashable, ...]:
    return job.folder.out, job.ledger_key(unit.step, unit.slide), unit.name


def _begin_next(job: Job[PatchSettings], plan: Plan, unit: Unit) -> None:
    """Read the slide's next unit while the network computes the last batches of this one, with what is idle then.

    Not on a worker, as any other may do that unit; nor from a slide's own file, as a tile may crash its decoder, which is to
    happen in the unit that has the tile.
    """
    if job.pixels == "none" or dask_worker() is not None or plan.memory() > available_memory():
        return
    ledger = Ledger(job.folder.out, unit.step, job.ledger_key(unit.step, unit.slide))
    after = next((b for a, b in pairwise(_units_of(job, unit.step, unit.slide)) if a == unit), None)
    if after is not None and ledger.find(after.name) is None:
        with suppress(MemoryError):  # that unit's own, if it is still so then
            resources().begun.append((_key(job, after), begin(plan, _box(plan, after))))


def plan_of(job: Job[PatchSettings], slide: str) -> Plan:
    """The plan for applying the run's model to one slide: source, tiles, model and layers."""
    model = model_of(job)
    mask = tissue(job, slide)
    step = model.stride
    layers = {name: StoredLayer(layer_image(job, slide, name)) for name in model.outputs}
    return Plan(
        source=job.image(slide),
        tiles=partial(_tissue_tiles, step=step, halo=model.halo, mask=mask, share=job.settings.tissue_share),
        model=model,
        layers=layers,
        unit=tuple(cells_along(job) * s for s in step),
        numerics=Numerics(batch=BATCH),
        prepare=prepare_of(job, slide),
    )


def _tissue_tiles(box: Box, step: tuple[int, ...], halo: tuple[int, ...], mask: Mask, share: float) -> Iterable[Tile]:
    return within(grid(box, step, halo), mask, share)


def model_of(job: Job[PatchSettings]) -> Model:
    """The model that the run applies to every tile: the pipeline's own if it defines one, else the trained network."""
    return job.pipeline.model(job) if job.pipeline.model else trained(job)


def trained(job: Job[PatchSettings]) -> PatchNetwork:
    """The run's trained network, cached per process and per sha256 of its file."""
    name = job.pipeline.network
    sha256 = stated_weights(job.folder.model(name).with_suffix(".json"))
    settings, path = job.settings, job.folder.model(name)
    options = (settings.side, settings.step, settings.dtype, settings.device)

    def load() -> PatchNetwork:
        autoencoder, clusterer = load_network(path, sha256)
        return PatchNetwork(autoencoder, *options, clusterer)

    return resources().networks.get((path, sha256, *options), load)


def cells_along(job: Job[PatchSettings]) -> int:
    """Side of a unit in cells of the tile grid; a unit is one shard of every layer."""
    return job.modality.cut.cells(job.settings.step)


def clusters(job: Job[PatchSettings]) -> int:
    """Number of clusters of the run's network; 0 where it has no clusterer."""
    return trained(job).clusters if job.pipeline.network else 0


def cell_frames(job: Job[PatchSettings], slide: str) -> tuple[Frame, ...]:
    """Frames of the tile grid, with as many levels as the image, as validators and vizarr require of labels."""
    frame = job.slides[slide].frame
    return pyramid(frame.coarsen((job.settings.step,) * len(frame.shape)), levels=len(image_spec(job, slide).frames))


def layer_image(job: Job[PatchSettings], slide: str, name: str) -> StoredImage:
    channels, dtype = model_of(job).outputs[name]
    shard = (cells_along(job),) * len(job.slides[slide].shape)
    spec = ImageSpec(cell_frames(job, slide)[:1], channels, dtype, shard, shard)
    return StoredImage.ensure(job.folder.layer(slide, name), spec)


def write_layers(job: Job[PatchSettings], unit: Unit) -> Outcome:
    """Write the metadata of one slide's layers."""
    outcome = Outcome()
    last = [step.name for step in job.pipeline.steps.values() if GROUPS in step.outputs][-1]
    with outcome.clock("write"):
        outcome.files += finish_layers(job, unit.slide, ["tissue"])
        if unit.step == last:  # a later step would rewrite them
            outcome.files += groups_written(job, unit.slide)
    return outcome


def finish_layers(job: Job[PatchSettings], slide: str, labels: list[str]) -> list[Written]:
    """Write the metadata of a slide's layers, and the group that lists its labels."""
    files: list[Written] = []
    for name in model_of(job).outputs:
        record = job.slides[slide]
        image = layer_image(job, slide, name)
        files += image.finish(
            name=name,
            reference=reference_of(record.frame),
            placement=record.placement,
            windows=windows_in_use(image),
        )
    begin_groups(job.folder.slide(slide))
    store = job.folder.slide(slide)
    list_labels(store, {*labels, *labels_listed(store)})  # a repair of this unit leaves what later steps listed
    return files


def groups_written(job: Job[Any], slide: str) -> list[Written]:
    """The groups that list a slide's labels and layers, as the last step that writes them states them."""
    return [written(job.folder.slide(slide) / group / "zarr.json") for group in ("labels", "layers")]


def looked_at(job: Job[PatchSettings], slide: str) -> int:
    """Number of a slide's tiles that the model was applied to, from the receipts of its units."""
    receipts = Ledger(job.folder.out, TILES, job.ledger_key(TILES, slide)).all(slide)
    return sum(int(receipt.facts["tiles"]) for receipt in receipts)
