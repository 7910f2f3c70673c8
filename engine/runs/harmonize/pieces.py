"""Pieces: random pieces of a site's images in the generator's units, for training; those of a step depend on its index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....models.seeds import numpy_generator
from ....stores.frame import Array, Box
from ....stores.slides.view import read_masked
from ...pipeline.job import Job
from ...steps.convert.tissue import tissue
from ...tiling.packed_mask import PackedMask
from .measure import measures_of, units_of
from .normalized import Normalized
from .settings import HarmonizeSettings
from .sites import sites_of

IN_MEMORY = 1_500_000_000
"""Bytes of whole images that a training keeps, at most; of larger sets each piece is read from the stores."""
MASKS_IN_MEMORY = 300_000_000
"""Bytes of packed masks that a training keeps, at most; those beyond are read for every piece."""


def pieces_of(job: Job[HarmonizeSettings], sites: Sequence[str]) -> list[Pieces]:
    """The pieces of several sites that one training sees; they share its memory."""
    return [Pieces(job, site, len(sites)) for site in sites]


class Pieces:
    """Pieces of images of one site; images of one subject share the subject's chance to be drawn."""

    def __init__(self, job: Job[HarmonizeSettings], site: str, sharers: int) -> None:
        """Slices along a random axis where the generator sees two axes of volumes. `sharers` share a training's memory."""
        settings = job.settings
        self._job, self._side, self._axes, self._name = (
            job,
            settings.piece_side,
            settings.network_axes,
            f"pieces/{site}",
        )
        self._images = images = sites_of(job).fitted(site)
        self._stored = {image: job.stored(image) for image in images}
        self._units = {image: units_of(job, measures_of(job, image)) for image in images}
        subjects = [job.slides[i].subject or i for i in images]
        self._weights = np.array([1 / subjects.count(s) for s in subjects])
        self._masks: dict[str, PackedMask] = {}
        self._room = MASKS_IN_MEMORY // sharers
        size = sum(4 * s.channels * s.frames[0].box.size for s in self._stored.values())
        held = size <= IN_MEMORY // sharers
        self._held = {i: self._source(i).read(s.frames[0].box) for i, s in self._stored.items()} if held else {}

    @property
    def images(self) -> tuple[str, ...]:
        return self._images

    @property
    def channels(self) -> int:
        return next(iter(self._stored.values())).channels

    def draw(self, index: int, count: int, weights: Array | None = None) -> tuple[Array, Array, list[str]]:
        """(pieces (B, C, *axes), masks (B, 1, *axes), float32, and their images) of a step; `weights` multiply chances."""
        random = numpy_generator(self._job.settings.seed, self._name, index)
        chances = self._weights if weights is None else self._weights * weights
        chosen = [self._images[i] for i in random.choice(len(self._images), count, p=chances / chances.sum())]
        pairs = [self._piece(image, random) for image in chosen]
        return np.stack([p for p, _ in pairs]), np.stack([m for _, m in pairs]), chosen

    def box(self, index: int, image: str) -> Box:
        """The box of a random piece of one image."""
        return self._box(image, numpy_generator(self._job.settings.seed, self._name, image, index))

    def read(self, image: str, box: Box) -> tuple[Array, Array]:
        """Values (C, *axes) and mask (1, *axes) of a box; beyond the image background, which is 0."""
        source = self._source(image)
        inside = box & source.frames[0].box
        values = np.zeros((source.channels, *box.shape), np.float32)
        at = (slice(None), *inside.shift([-a for a in box.start]).slices)
        if image in self._held:
            values[at] = self._held[image][(slice(None), *inside.slices)]
        else:
            values[at] = read_masked(source, inside)[0]
        mask = source.mask.cells(np.array(box.start), box.shape)
        return values, mask[None].astype(np.float32)

    def _source(self, image: str) -> Normalized:
        return Normalized(self._stored[image], self._units[image], self._mask(image))

    def _mask(self, image: str) -> PackedMask:
        """The mask of an image, which is kept as long as there is room."""
        if image in self._masks:
            return self._masks[image]
        mask = PackedMask(tissue(self._job, image))
        if mask.nbytes <= self._room:
            self._room -= mask.nbytes
            self._masks[image] = mask
        return mask

    def _piece(self, image: str, random: np.random.Generator) -> tuple[Array, Array]:
        box = self._box(image, random)
        values, mask = self.read(image, box)
        if self._axes < values.ndim - 1:
            flat = box.shape.index(1)
            values, mask = values.squeeze(flat + 1), mask.squeeze(flat + 1)
        return values, mask

    def _box(self, image: str, random: np.random.Generator) -> Box:
        """A box around a random cell of the mask, inside the image where it fits."""
        mask, shape = self._mask(image), self._stored[image].frames[0].shape
        sides = [self._side] * len(shape)
        if self._axes < len(shape):
            sides[int(random.integers(len(shape)))] = 1
        centre = (mask.cell(int(random.integers(len(mask)))) + random.random(len(shape))) * mask.lattice.ratio
        start = np.floor(centre - np.array(sides) / 2).astype(int)
        start = np.where(np.array(sides) <= shape, np.clip(start, 0, np.maximum(0, np.array(shape) - sides)), start)
        return Box(tuple(start.tolist()), tuple((start + sides).tolist()))
