"""stain_effects: which stain tells which cluster apart, by the colours of its tiles in each stain of the stack."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....models.evaluation.stain_effects import stain_effects
from ....stores.cells import LabelCells
from ....stores.downsample import resize
from ....stores.frame import Array
from ...pipeline.documents import Document, JsonNumber, read_document
from ...pipeline.job import Job
from ...pipeline.unit import Outcome, Unit
from ...show.page import Column, Image, Section, Table
from ...show.spreadsheet import Cell
from ...steps.checkpoints import write_document
from .settings import NumberOfClusters, SectionClusterSettings
from .shown import ShownClusters

STAIN_EFFECTS = "models/stain_effects"
MAX_TILES = 200_000
"""Tiles of a block, at most; more are taken evenly."""


class StainEffects(Document):
    """models/stain_effects.json: how far each cluster's tiles lie from all others in the colours of each stain."""

    stains: tuple[str, ...]
    effects: dict[str, tuple[JsonNumber, ...]]
    """Number of a shown cluster -> an effect size for each stain: distance of the means of the three optical densities in
    standard deviations (Mahalanobis); None where it cannot be told."""


def measure_stain_effects(job: Job[SectionClusterSettings], unit: Unit) -> Outcome:
    """Compare the colours of each cluster's tiles with those of all other tiles, stain by stain."""
    outcome = Outcome()
    stains = next(iter(job.slides.values())).stains
    with outcome.clock("read"):
        labels, colours = zip(*(_tiles(job, block) for block in job.slides), strict=True)
    with outcome.clock("compute"):
        found = stain_effects(np.concatenate(colours), np.concatenate(labels))
    document = StainEffects(stains=stains, effects={str(number): tuple(row) for number, row in found.items()})
    with outcome.clock("write"):
        outcome.files.append(write_document(job, STAIN_EFFECTS, document))
    return outcome


def _tiles(job: Job[SectionClusterSettings], block: str) -> tuple[Array, Array]:
    """Cluster of each tile (n,), and its mean colours (n, stain, 3), nan for a stain that the block lacks."""
    stored = LabelCells.open(job.folder.label(block, "clusters"))
    labels = stored.read_all()
    image, record = job.stored(block), job.slides[block]
    level = max(i for i, f in enumerate(image.frames) if i == 0 or f.spacing[0] <= stored.frame.spacing[0] * 1.01)
    picture = resize(image.read(image.frames[level].box, level), labels.shape)
    found = np.flatnonzero(labels)
    found = found[:: max(1, -(-len(found) // MAX_TILES))]
    colours = (
        picture.reshape(len(picture), -1)[:, found].T.reshape(len(found), len(record.stains), 3).astype(np.float32)
    )
    for n in range(len(record.stains)):
        if (picture[3 * n : 3 * n + 3] == record.background).all():  # missing, or its registration was rejected
            colours[:, n] = np.nan
    return labels.ravel()[found], colours


def stain_sections(job: Job[NumberOfClusters], shown: ShownClusters) -> Iterator[Section]:
    """The stains of every block beside its map, and of several the one that tells each cluster apart; none for other images."""
    records = job.slides.values()
    stains = next(iter(records)).stains
    if not stains:
        return
    figures = [Image(job.folder.map(block, "stains"), record.name) for block, record in job.slides.items()]
    yield Section("Clusters and stains of each block", figures=tuple(figures))
    if len(stains) == 1:
        return
    found = read_document(job.folder, STAIN_EFFECTS, StainEffects)
    columns = (Column("Cluster"), *(Column(stain, "number") for stain in stains), Column("Told apart by"))
    names = dict(zip(map(str, shown.numbers), shown.names, strict=True))
    rows: list[tuple[Cell, ...]] = []
    for number, values in found.effects.items():
        known = {stain: float(v) for stain, v in zip(stains, values, strict=True) if v is not None}
        numbers = [float("nan") if v is None else float(v) for v in values]
        rows.append((names.get(number, number), *numbers, max(known, key=lambda s: known[s]) if known else "not known"))
    text = (
        "How far the tiles of a cluster lie from all other tiles in the colours of each stain: the distance of the means of "
        "the optical densities, in standard deviations. The stain with the largest distance tells the cluster apart best.",
    )
    yield Section("Which stain tells which cluster apart", text=text, tables=(Table(columns, tuple(rows)),))
