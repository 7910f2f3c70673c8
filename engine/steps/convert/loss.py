"""Loss: what of an image could not be decoded or is absent from its file, and whether that rejects it.

*Unreadable* tiles are stated by the file but cannot be decoded. *Absent* ones were never written, which is legal where nothing
was scanned. Tissue is looked for on a coarser level of the file too, since what is lost cannot be found among what is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array, Box
from ....stores.receipts import Ledger
from ...pipeline.job import Job
from ...pipeline.settings import RunSettings
from .geometry import OVERVIEW, PIXELS, PYRAMID, coarse


@dataclass(frozen=True, slots=True)
class Loss:
    """The lost parts of an image, on the frame of its tissue mask, and counted in tiles of its file."""

    unreadable: tuple[Box, ...]
    absent: tuple[Box, ...]
    unreadable_tiles: int
    absent_tiles: int
    tiles: int
    """All tiles of the level that was read."""

    @property
    def any(self) -> bool:
        return bool(self.unreadable or self.absent)

    @property
    def text(self) -> str:
        """The counts in words; empty where nothing is lost."""
        parts = [(self.unreadable_tiles, "unreadable"), (self.absent_tiles, "absent from the file")]
        return ", ".join(f"{n:,} of {self.tiles:,} tiles {words}" for n, words in parts if n)


def loss_of(job: Job[RunSettings], image: str) -> Loss:
    """The loss of an image, from the receipts of its overview and blocks."""
    record = job.slides[image]
    axes, factor = len(record.shape), coarse(record.frame)
    unreadable: list[Box] = []
    absent: list[Box] = []
    counts = [(0, 0, 0)]
    for step, cells in ((OVERVIEW, (1,) * axes), (PIXELS, factor)):
        facts = [receipt.facts for receipt in _receipts(job, step, image)]
        boxes = [(_boxes(f["unreadable"], axes), _boxes(f["absent"], axes)) for f in facts]
        unreadable += [box.coarsen(cells) for holes, _ in boxes for box in holes]
        absent += [box.coarsen(cells) for _, gaps in boxes for box in gaps]
        if step == PIXELS and facts:
            tile = facts[0]["tile"]
            holes_in = tiles_in((box for holes, _ in boxes for box in holes), tile)
            gaps_in = tiles_in((box for _, gaps in boxes for box in gaps), tile)
            counts.append((holes_in, gaps_in, math.prod(-(-n // t) for n, t in zip(record.shape, tile, strict=True))))
        elif facts:
            holes_in, gaps_in, tiles = facts[0]["tiles_lost"]
            counts.append((holes_in, gaps_in, tiles))
    # of the level whose pixels are kept, unless only the overview met holes
    counted = max(enumerate(counts), key=lambda one: (one[1][0] > 0, one[0]))[1]
    return Loss(tuple(unreadable), tuple(absent), *counted)


def tiles_in(boxes: Iterable[Box], tile: tuple[int, ...]) -> int:
    """Number of tiles that the boxes touch, each counted once."""
    grids = (box.coarsen(tile) for box in boxes)
    return len({cell for grid in grids for cell in np.ndindex(*grid.shape) for cell in [_moved(cell, grid.start)]})


def check_loss(loss: Loss, tissue: Array, seen: Array, limit: float) -> None:
    """Reject an image of which more is lost than the limit. `tissue` is its mask, `seen` what a coarser level shows as tissue.

    Unreadable parts count over the whole image, and over its tissue; a part counts as tissue where a coarser level shows some
    there, or its neighbourhood holds some. Absent parts count where a coarser level shows tissue.
    """
    unreadable, near = np.zeros(tissue.shape, bool), np.zeros(tissue.shape, bool)
    present = tissue | seen
    for box in loss.unreadable:
        unreadable[box.slices] = True
        neighbourhood = box.grow(box.shape) & Box((0,) * tissue.ndim, tissue.shape)
        near[box.slices] |= bool(present[neighbourhood.slices].any())
    gone = marked(loss.absent, tissue.shape) & seen
    of_tissue = {}
    for name, lost in (("unreadable", near), ("absent", gone)):
        of_tissue[name] = float(lost.sum() / max(1, (lost | present).sum()))
    of_image = float(unreadable.mean())
    again = f"Copy it again{', or raise --max-bad-tiles' if tissue.ndim == 2 else ''}."
    if max(of_image, of_tissue["unreadable"]) > limit:
        raise SlideError(
            f"{loss.text or 'parts'}: {of_image:.1%} of the image and {of_tissue['unreadable']:.1%} of its tissue cannot be "
            f"decoded, the limit is {limit:.1%}: the file was probably cut short when it was copied. {again}",
            "E_TRUNCATED",
        )
    if of_tissue["absent"] > limit:
        raise SlideError(
            f"{loss.text}: a coarser level of the file shows tissue in {of_tissue['absent']:.1%} of what is absent or tissue, "
            f"the limit is {limit:.1%}: the file lost its finest level when it was written or copied. {again}",
            "E_TRUNCATED",
        )


def marked(boxes: Iterable[Box], shape: tuple[int, ...]) -> Array:
    """Mask of the boxes, bool."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box.slices] = True
    return mask


def check_any_tile(job: Job[RunSettings], slide: str) -> None:
    """Reject a slide of which no level has a single tile."""
    source = job.modality.levels(job, slide)
    for level, frame in enumerate(source.frames):
        gaps = source.absent(frame.box, level)
        if sum(gap.size for gap in gaps) < frame.box.size:
            return
    raise SlideError(
        "the file holds no tile of any level: its tables list nothing but empty places, as those of a file whose transfer "
        "did not begin. Copy it again.",
        "E_TRUNCATED",
    )


def losses(job: Job[Any]) -> dict[str, str]:
    """Image id -> what of it is lost, in words, for the images of a run that lost anything."""
    texts = {}
    for image in job.slides if PYRAMID in job.fingerprints else ():  # not in a run on films
        receipt = Ledger(job.folder.out, PYRAMID, job.ledger_key(PYRAMID, image)).find(f"{image}/{PYRAMID}")
        if receipt is not None and receipt.facts.get("lost"):
            texts[image] = str(receipt.facts["lost"])
    return texts


def _receipts(job: Job[RunSettings], step: str, image: str) -> Iterator[Any]:
    if step in job.fingerprints:
        yield from Ledger(job.folder.out, step, job.ledger_key(step, image)).all(image)


def _boxes(values: Iterable[list[int]], axes: int) -> list[Box]:
    return [Box(tuple(v[:axes]), tuple(v[axes:])) for v in values]


def _moved(cell: tuple[int, ...], start: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(cell, start, strict=True))
