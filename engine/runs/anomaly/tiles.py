"""tiles: every tile of tissue, scored: layers/anomaly (a channel a score) and layers/tone (a channel a property)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....stores.array import written
from ....stores.frame import Array
from ....stores.image import StoredImage
from ....stores.tables import write_table
from ....stores.windows import windows_in_use
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.evidence_overlay import draw_evidence, slide_of
from ...steps.apply import layer_image
from ...steps.convert.geometry import reference_of
from ...steps.slide_picture import picture_of
from ...steps.table import tile_columns
from .networks import Networks, networks_of, properties_of
from .score_names import PROPERTIES, QUICK_NAMES, SHOWN, called
from .settings import SlideAnomalySettings

if TYPE_CHECKING:
    from ....models.anomaly.evidence import Draws

LAYER, TONE = "anomaly", "tone"
LONGEST = 900
"""Pixels along a map."""
FULL_COLOUR = 6.0
"""Standard deviations above the tiles that were trained on that a map shows in full colour."""


@dataclass(frozen=True, slots=True, eq=False)
class TileScorer:
    """The networks as the model of a plan: a tile, a cell."""

    networks: Networks
    patch: int
    step: int
    draws: Draws
    threads: int

    @property
    def stride(self) -> tuple[int, ...]:
        return (self.step, self.step)

    @property
    def halo(self) -> tuple[int, ...]:
        return ((self.patch - self.step) // 2,) * 2

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        return {LAYER: (len(QUICK_NAMES), "float32"), TONE: (len(PROPERTIES), "float32")}

    @property
    def readers(self) -> int:
        """Threads that read ahead: one, as the networks need the cores."""
        return 1

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        import torch

        torch.set_num_threads(self.threads)
        for batch in batches:
            values = {LAYER: self.networks.scores(batch, self.draws), TONE: properties_of(batch)}
            yield {name: np.stack(list(each.values()), 1)[..., None, None] for name, each in values.items()}


def scorer_of(job: Job[SlideAnomalySettings]) -> TileScorer:
    from ....models.anomaly.evidence import Draws

    settings = job.settings
    draws = Draws(settings.draws, settings.seed, shared=True)
    return TileScorer(networks_of(job), settings.side, settings.step, draws, settings.threads)


def finish_layers(job: Job[SlideAnomalySettings], unit: Unit) -> Outcome:
    """Write the metadata that makes one slide's fields layers, with the names of their channels."""
    outcome, record = Outcome(), job.slides[unit.slide]
    with outcome.clock("write"):
        for name, channels in ((LAYER, QUICK_NAMES), (TONE, PROPERTIES)):
            image = layer_image(job, unit.slide, name)
            outcome.files += image.finish(
                windows=windows_in_use(image),
                name=name,
                reference=reference_of(record.frame),
                placement=record.placement,
                notes={"channels": list(channels)},
            )
    return outcome


def draw_map(job: Job[SlideAnomalySettings], unit: Unit) -> Outcome:
    """Draw maps/<slide>.png: the slide, and its tiles' scores on it, in one scale for all slides."""
    outcome, record = Outcome(), job.slides[unit.slide]
    layer = StoredImage.open(job.folder.layer(unit.slide, LAYER))
    with outcome.clock("compute"):
        heat = layer.read(layer.frames[0].box)[QUICK_NAMES.index(SHOWN)]
        picture = picture_of(job, unit.slide, longest=LONGEST)
        panel = slide_of(record.name, picture, heat, top=FULL_COLOUR)
        title = f"{called(SHOWN)}, bright at {FULL_COLOUR:g} standard deviations"
        path = draw_evidence(job.folder.map(unit.slide), [panel], title=title)
    outcome.files.append(written(path))
    return outcome


def write_tile_scores(job: Job[SlideAnomalySettings], unit: Unit) -> Outcome:
    """Write tables/tiles.zarr: X = scores (tile, score), obs = slide, cell, position, properties of grey values."""
    import anndata
    import pandas as pd

    outcome = Outcome()
    with outcome.clock("read"):
        columns, counts = tile_columns(job, LAYER)
        tones, _ = tile_columns(job, TONE)  # of the same tiles
    scores = columns.pop("X")
    slides, records = list(job.slides), list(job.slides.values())
    about = {"name": [r.name for r in records], "subject": [r.subject for r in records]}
    about["label"] = [r.columns.get(job.settings.class_column, "") for r in records]
    columns |= dict(zip(PROPERTIES, tones["X"].T, strict=True))
    owner = {"slide": pd.Categorical(np.repeat(slides, counts), categories=slides)}
    obs = pd.DataFrame(
        owner | columns | {name: pd.Categorical(np.repeat(values, counts)) for name, values in about.items()}
    )
    obs.index = [
        f"{slide}:{row}:{column}" for slide, row, column in zip(obs["slide"], obs["row"], obs["column"], strict=True)
    ]
    table = anndata.AnnData(X=scores, obs=obs)
    table.var_names = list(QUICK_NAMES)
    table.obsm["spatial"] = np.stack([columns["x_um"], columns["y_um"]], 1)
    with outcome.clock("write"):
        outcome.files += write_table(job.folder.table, table)
    outcome.facts["tiles"] = len(obs)
    return outcome
