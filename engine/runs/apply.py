"""apply: the trained network over every tissue tile of every slide or volume, as layers on the tile grid.

Three steps: `tiles` (the network, a label shard a unit), `number` (clusters numbered by their share of all tissue tiles,
largest first, the same on every slide) and `labels` (per slide: `labels/clusters` and the metadata of its layers). Runs
without clusters have `tiles` and `layers` (the metadata alone).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ...stores.array import Written, written
from ...stores.files import read_json
from ...stores.frame import Array, Box, Frame
from ...stores.image import ImageSpec, StoredImage, StoredLayer, begin_groups, image_label, list_labels, pyramid
from ...stores.receipts import Ledger
from ...stores.remote import place
from ..device import PatchNetwork
from ..job import Job, Unit
from ..plan import Numerics, Plan
from ..run import Outcome, execute
from ..show.palette import palette
from ..tile import Mask, Tile, grid, within
from .convert import image_spec, reference_of, tissue, write_labels
from .train import load_network, write_document

CELLS = 64
"""Cells along a label shard: 4,096 patches a unit."""
CUBES = 16
"""The same of volumes, at most."""
SIDE = 512
"""Voxels along a unit of a volume, at most."""
BATCH = 128


class Tiles:
    """Every tissue tile through the network: embedding, and of clusterers confidence and their own cluster index + 1."""

    name = "tiles"
    fields = ("step", "dtype", "device")

    def units(self, job: Job) -> Iterator[Unit]:
        side = cells_along(job) * job.settings.step
        for slide, record in job.slides.items():
            for box in record.frame.box.cut((side,) * len(record.shape)):
                at = "-".join(str(a // side) for a in box.start)
                yield Unit(self.name, f"{slide}/{at}", slide, box.start)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        plan = plan_of(job, unit.slide)
        box = Box(unit.start, tuple(a + u for a, u in zip(unit.start, plan.unit, strict=True)))
        box &= plan.source.frames[0].box
        plan.check()
        outcome = execute(plan, box)
        if k := clusters(job):
            found = layer_image(job, unit.slide, "assignment").read(box.coarsen(plan.model.stride))
            outcome.facts["counts"] = np.bincount(found.ravel(), minlength=k + 1)[1:].tolist()
        return outcome


def plan_of(job: Job, slide: str) -> Plan:
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


def trained(job: Job) -> PatchNetwork:
    """The run's network, loaded once per process and per content of its file."""
    name = "clusterer" if finds_clusters(job) else "autoencoder"
    document = read_json(job.folder.model(name).with_suffix(".json"))
    settings = job.settings
    path = str(job.folder.model(name))
    return _network(path, document["sha256"], settings.patch, settings.step, (settings.dtype, settings.device))


@lru_cache(maxsize=2)
def _network(path: str, sha256: str, patch: int, step: int, on: tuple[str, str]) -> PatchNetwork:
    return PatchNetwork(load_network(place(path), sha256), patch, step, *on)


def cells_along(job: Job) -> int:
    """Cells along a label shard; of volumes so many that a unit's voxels stay few, whatever the stride."""
    return CELLS if job.folder.images == "slides" else max(1, min(CUBES, SIDE // int(job.settings.step)))


def finds_clusters(job: Job) -> bool:
    """Whether the run is one that finds clusters: others end with the embedding."""
    return hasattr(job.settings, "k")


def clusters(job: Job) -> int:
    return trained(job).clusters


def cell_frames(job: Job, slide: str) -> tuple[Frame, ...]:
    """Frames of the tile grid, with as many levels as the image: the validators and vizarr want that of labels."""
    frame = job.slides[slide].frame
    return pyramid(frame.coarsen((job.settings.step,) * len(frame.shape)), levels=len(image_spec(job, slide).frames))


def layer_image(job: Job, slide: str, name: str) -> StoredImage:
    channels, dtype = trained(job).outputs[name]
    shard = (cells_along(job),) * len(job.slides[slide].shape)
    spec = ImageSpec(cell_frames(job, slide)[:1], channels, dtype, shard, shard)
    return StoredImage.ensure(job.folder.layer(slide, name), spec)


class Number:
    """Number the clusters of the run by their share of all its tissue tiles."""

    name = "number"
    fields = ()

    def units(self, job: Job) -> Iterator[Unit]:
        yield Unit(self.name, self.name)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        counts = {slide: counted(job, slide) for slide in job.slides}
        total: Array = np.stack([*counts.values()]).sum(0)
        order = np.argsort(-total, kind="stable")
        document = {
            "order": order.tolist(),
            "tiles": total[order].tolist(),
            "shares": (total[order] / max(1, total.sum())).tolist(),
            "slides": {slide: c[order].tolist() for slide, c in counts.items()},
        }
        outcome = Outcome(files=[write_document(job, "models/clusters.json", document)])
        outcome.facts["tiles"] = int(total.sum())
        outcome.facts["smallest_share"] = round(document["shares"][-1], 6)
        return outcome


def counted(job: Job, slide: str) -> Array:
    """Tiles of a slide per cluster of the network, from its units' receipts."""
    out = np.zeros(clusters(job), np.int64)
    for receipt in Ledger(job.folder.out, "tiles", job.ledger_key("tiles", slide)).all(slide):
        out += np.asarray(receipt.facts["counts"], np.int64)
    return out


class Labels:
    """Per slide: clusters under their final numbers as a label pyramid, and metadata last."""

    name = "labels"
    fields = ()

    def units(self, job: Job) -> Iterator[Unit]:
        for slide in job.slides:
            yield Unit(self.name, f"{slide}/labels", slide)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        slide, reference = unit.slide, reference_of(job.slides[unit.slide].frame)
        with outcome.clock("read"):
            assignment = layer_image(job, slide, "assignment").levels[0].read_all()[0]
        with outcome.clock("compute"):
            labels = numbering(job)[assignment]
            label = image_label(dict(enumerate(palette(clusters(job)), 1)), cluster_properties(job, slide))
        with outcome.clock("write"):
            frames = cell_frames(job, slide)
            outcome.files += write_labels(
                job, slide, "clusters", labels=labels, frames=frames, label=label, reference=reference
            )
            outcome.files += finish_layers(job, slide, ["clusters", "tissue"])
        return outcome


class Layers:
    """Per slide of a run without clusters: the metadata of its layers, last."""

    name = "layers"
    fields = ()

    def units(self, job: Job) -> Iterator[Unit]:
        for slide in job.slides:
            yield Unit(self.name, f"{slide}/layers", slide)

    def execute(self, job: Job, unit: Unit) -> Outcome:
        outcome = Outcome()
        with outcome.clock("write"):
            outcome.files += finish_layers(job, unit.slide, ["tissue"])
        return outcome


def finish_layers(job: Job, slide: str, labels: list[str]) -> list[Written]:
    """Metadata of a slide's layers, and the groups that name its labels."""
    files: list[Written] = []
    for name in trained(job).outputs:
        files += layer_image(job, slide, name).finish(name=name, reference=reference_of(job.slides[slide].frame))
    begin_groups(job.folder.slide(slide))
    list_labels(job.folder.slide(slide), labels)
    return files + [written(job.folder.slide(slide) / group / "zarr.json") for group in ("labels", "layers")]


def looked_at(job: Job, slide: str) -> int:
    """Tiles of a slide that the network saw, from its units' receipts."""
    receipts = Ledger(job.folder.out, "tiles", job.ledger_key("tiles", slide)).all(slide)
    return sum(int(receipt.facts["tiles"]) for receipt in receipts)


def clusters_document(job: Job) -> dict[str, Any]:
    """models/clusters.json: order (network's index by number), tiles and shares by number, tiles per slide."""
    return job.folder.read("models/clusters")


def numbering(job: Job) -> Array:
    """Look-up table from the network's index + 1 to the cluster's number; 0 stays 0."""
    order = clusters_document(job)["order"]
    table = np.zeros(len(order) + 1, np.uint8)
    table[np.asarray(order) + 1] = np.arange(1, len(order) + 1)
    return table


def cluster_properties(job: Job, slide: str) -> list[dict[str, Any]]:
    counts = clusters_document(job)["slides"][slide]
    total = max(1, sum(counts))
    return [
        {"label-value": i, "class": f"cluster {i}", "tiles": n, "share": round(n / total, 6)}
        for i, n in enumerate(counts, 1)
    ]
