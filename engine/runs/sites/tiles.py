"""tiles: each tile of tissue of a slide, looked at by the network that did not see the slide's subject.

Two layers: site_probability (a channel a site; the cells of a tile have the same values) and gradcam (the evidence for the site
that is named for the tile, at the resolution of the network's maps). A unit's receipt holds the sums of its cells.

```text
tile   |hhh|wwwwwwww|hhh|      the network sees all of it; cells of the layers are written where w stands
cells      |-|-|-|-|           a cell is as wide as one of the network's maps, where that divides stride and halo
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array, Box, Frame
from ....stores.image import ImageSpec, StoredImage, StoredLayer
from ....stores.receipts import Ledger
from ....stores.windows import windows_in_use
from ...compute.resources import resources
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...steps.apply import TILES, cells_along, tile_units
from ...steps.checkpoints import device_of, read_record
from ...steps.convert.geometry import reference_of
from ...steps.convert.tissue import tissue
from ...steps.normalization import prepare_of
from ...tiling.execute import execute
from ...tiling.plan import Numerics, Plan
from ...tiling.samplers import grid, within
from .documents import SiteRecord
from .explain import GRADCAM
from .folds import cohort_of, fold_by_image, fold_of
from .networks import load_network
from .settings import SlideSitesSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ....models.networks.classifier import Classifier
    from ...tiling.mask import Mask
    from ...tiling.tile import Tile

PROBABILITY = "site_probability"
BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class SiteNetwork:
    """A network that names sites as the model of a plan."""

    network: Classifier
    patch: int
    step: int
    threads: int
    explains: bool

    @property
    def cell(self) -> int:
        """Pixels along a cell of the layers."""
        return math.gcd(2 ** len(self.network.blocks), self.step, self.halo[0])

    @property
    def stride(self) -> tuple[int, ...]:
        return (self.cell, self.cell)

    @property
    def halo(self) -> tuple[int, ...]:
        return ((self.patch - self.step) // 2,) * 2

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        maps = {GRADCAM: (1, "float32")} if self.explains else {}
        return {PROBABILITY: (self.network.classes, "float32")} | maps

    @property
    def readers(self) -> int:
        """Threads that read ahead: one, as the network needs the cores."""
        return 1

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        import torch

        from ....models.explanation.gradcam import evidence_maps
        from ....models.networks.autoencoder import to_float

        torch.set_num_threads(self.threads)
        device, side = next(self.network.parameters()).device, self.step // self.cell
        for batch in batches:
            evidence, logits = evidence_maps(self.network, to_float(batch).to(device))
            p_BK = torch.from_numpy(logits).softmax(1).numpy()
            cells = {PROBABILITY: np.broadcast_to(p_BK[..., None, None], (*p_BK.shape, side, side))}
            yield cells | ({GRADCAM: self._centre(evidence)} if self.explains else {})

    def _centre(self, evidence_BYX: Array) -> Array:
        """The evidence of the part of a tile that is written, (B, 1, side, side)."""
        times = 2 ** len(self.network.blocks) // self.cell
        fine = evidence_BYX.repeat(times, 1).repeat(times, 2)
        missing = self.patch // self.cell - fine.shape[1]  # pixels at the end that fill no cell of the maps
        fine = np.pad(fine, ((0, 0), (0, missing), (0, missing)), mode="edge")
        start = self.halo[0] // self.cell
        kept = slice(start, start + self.step // self.cell)
        return fine[:, None, kept, kept]


def judged_units(job: Job[SlideSitesSettings], step: str) -> Iterator[Unit]:
    """The units of slides that a network judges."""
    judged = fold_by_image(job)
    return (unit for unit in tile_units(job, step) if unit.slide in judged)


def judged_slides(job: Job[SlideSitesSettings], step: str) -> Iterator[Unit]:
    for slide in fold_by_image(job):
        yield Unit(step, f"{slide}/{step}", slide)


def name_tiles(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Name the site of the tissue tiles of one box of a slide, and map the evidence."""
    plan = plan_of(job, unit.slide)
    box = Box(unit.start, tuple(a + u for a, u in zip(unit.start, plan.unit, strict=True))) & plan.source.frames[0].box
    plan.check()
    outcome = execute(plan, box)
    cells = box.coarsen(plan.model.stride)
    p_KYX = layer_of(job, unit.slide, PROBABILITY).read(cells)
    outcome.facts["sums"] = p_KYX.sum((1, 2), dtype=np.float64).tolist()
    outcome.facts["cells"] = int((p_KYX > 0).any(0).sum())
    if job.settings.gradcam:
        heat = layer_of(job, unit.slide, GRADCAM).read(cells)[0].astype(np.float64)
        inside = _inside(tissue(job, unit.slide), cells, plan.model.stride[0])
        outcome.facts |= {"evidence": float(heat.sum()), "evidence_inside": float(heat[inside].sum())}
    return outcome


def _inside(mask: Mask, cells: Box, side: int) -> Array:
    """Whether the centre of each cell lies on tissue."""
    at = [
        np.minimum(((np.arange(a, b) + 0.5) * side / ratio).astype(int), n - 1)
        for a, b, ratio, n in zip(cells.start, cells.stop, mask.ratio, mask.values.shape, strict=True)
    ]
    return np.asarray(mask.values[np.ix_(*at)])


def plan_of(job: Job[SlideSitesSettings], slide: str) -> Plan:
    """The plan of one slide: its tissue tiles, and the network of the fold that judges it."""
    model, mask, step = model_of(job, slide), tissue(job, slide), job.settings.step
    return Plan(
        source=job.image(slide),
        tiles=partial(_tiles, step=step, halo=model.halo, mask=mask, share=job.settings.tissue_share),
        model=model,
        layers={name: StoredLayer(layer_of(job, slide, name)) for name in model.outputs},
        unit=(cells_along(job) * step,) * 2,
        numerics=Numerics(batch=BATCH),
        prepare=prepare_of(job, slide),
    )


def _tiles(box: Box, step: int, halo: tuple[int, ...], mask: Mask, share: float) -> Iterable[Tile]:
    return within(grid(box, (step, step), halo), mask, share)


def model_of(job: Job[SlideSitesSettings], slide: str) -> SiteNetwork:
    """The network of the fold that judges a slide, kept per process."""
    fold, settings = fold_of(job, slide), job.settings
    key = (job.folder.model(fold), read_record(job, fold, SiteRecord).sha256)
    network = resources().networks.get(key, lambda: load_network(job, fold).to(device_of(job)))
    return SiteNetwork(network, settings.side, settings.step, settings.threads, settings.gradcam)


def layer_of(job: Job[SlideSitesSettings], slide: str, name: str) -> StoredImage:
    model = model_of(job, slide)
    channels, dtype = model.outputs[name]
    side = cells_along(job) * job.settings.step // model.cell
    frame: Frame = job.slides[slide].frame.coarsen(model.stride)
    return StoredImage.ensure(
        job.folder.layer(slide, name), ImageSpec((frame,), channels, dtype, (side,) * 2, (min(side, 256),) * 2)
    )


def finish_layers(job: Job[SlideSitesSettings], unit: Unit) -> Outcome:
    """Write the metadata that makes one slide's fields layers."""
    outcome = Outcome()
    record = job.slides[unit.slide]
    with outcome.clock("write"):
        for name in model_of(job, unit.slide).outputs:
            notes = {"unit": "logit" if name == GRADCAM else "probability", "sites": list(cohort_of(job).names)}
            image = layer_of(job, unit.slide, name)
            outcome.files += image.finish(
                name=name,
                reference=reference_of(record.frame),
                placement=record.placement,
                notes=notes,
                windows=windows_in_use(image),
            )
    return outcome


def probabilities_of_slides(job: Job[SlideSitesSettings]) -> Array:
    """Mean over its tiles of the probability of each site, of every slide; nan without a tile, or where none judges it."""
    out = np.full((len(job.slides), len(cohort_of(job).names)), np.nan, np.float32)
    for row, slide in enumerate(job.slides):
        facts = tile_facts(job, slide)
        if cells := sum(fact["cells"] for fact in facts):
            out[row] = np.sum([fact["sums"] for fact in facts], 0) / cells
    return out


def tile_facts(job: Job[SlideSitesSettings], slide: str) -> list[Mapping[str, Any]]:
    """What the receipts of a slide's units hold."""
    return [r.facts for r in Ledger(job.folder.out, TILES, job.ledger_key(TILES, slide)).all(slide)]
