"""label_grid: labels on the grid of their image, whichever grid the run keeps them on, as readers ignore `translation`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...stores.cells import LabelCells, cell_factor, write_repeated
from ...stores.image import ATTRIBUTES_KEY, ImageSpec, StoredImage, attributes_of
from ...stores.regrid import is_same_grid
from ...stores.shard import Codec
from .fields import Field
from .picked import Picked

SCRATCH = ".labels"
"""Folder beside the exported files, of labels that are repeated for them; it is gone when they are written."""


@contextmanager
def labels_on_image(picked: Picked, folder: Path) -> Iterator[list[tuple[str, StoredImage]]]:
    """Names and images of the labels that are exported. Those of coarser cells are repeated pixel by pixel, on the disk."""
    try:
        yield [(field.name, _on_image(picked, field, folder / SCRATCH / field.name)) for field in picked.labels]
    finally:
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)


def is_off_grid(picked: Picked, field: Field) -> bool:
    """Whether a label's cells are no whole pixels of the stored image: it is exported on a grid of its own."""
    label = StoredImage.open(field.path)
    frame = picked.stored.frames[0]
    return not is_same_grid(label.frames[0], frame) and not cell_factor(label.frames[0], frame)


def _on_image(picked: Picked, field: Field, scratch: Path) -> StoredImage:
    cells, image = LabelCells.open(field.path), picked.stored
    stored, cut = cells.image, picked.job.modality.cut
    if is_same_grid(stored.frames[0], image.frames[0]) or is_off_grid(picked, field):
        return stored
    factor = cell_factor(stored.frames[0], image.frames[0])
    spec = ImageSpec(image.frames, None, stored.dtype, cut.block, cut.chunk, codec=Codec("zstd", "noshuffle"))
    written, _ = write_repeated(scratch, cells.read_all(), spec, factor)
    attributes = attributes_of(field.path)
    written.finish(
        name=field.name,
        reference=attributes[ATTRIBUTES_KEY]["reference"],
        label=attributes["ome"]["image-label"],
        placement=image.placement,
    )
    return StoredImage.open(scratch)
