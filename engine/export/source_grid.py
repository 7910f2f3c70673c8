"""source_grid: the axes of a volume's own file, which exported volumes keep: programs pair voxels of both by index.

```text
file    120 x 120 x 90, axes to P, S, R     what fslmaths, nilearn and MONAI read, and what is exported
stored   90 x 120 x 120, axes to R, A, S    what tile-engine computes on
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import CorruptError, SlideError
from ...stores.frame import Array, Box, Frame
from ...stores.image import ATTRIBUTES_KEY, attributes_of
from ...stores.placement import Affine
from ...stores.regrid import Regridded, is_same_grid, runs
from ...stores.volumes.orient import Turn, turn_to
from ...stores.volumes.voxels import affine_of
from ..pipeline.record import ImageRecord


@dataclass(frozen=True, slots=True)
class SourceGrid:
    """The grid of a volume's file."""

    record: ImageRecord
    affine: Affine
    """Of the file: indices (i, j, k, 1) to millimetres Right, Anterior, Superior."""
    turn: Turn

    @property
    def is_canonical(self) -> bool:
        return self.turn.axes == (2, 1, 0) and not any(self.turn.mirrored)

    def shape_of(self, frame: Frame) -> tuple[int, ...]:
        """Cells along the axes k, j and i of the file of a frame on this grid."""
        return self.turn.in_file_order(frame.shape)[::-1]

    def affine_of(self, frame: Frame) -> Affine:
        """The affine of a frame along the file's axes; of the file's own cells the file's own."""
        if is_same_grid(frame, self.record.frame):
            return self.affine
        return self.turn.file_affine(self.record.placement.canonical_affine(frame), frame.shape)

    def blocks(self, layer: Regridded, channel: int) -> Iterator[Array]:
        """Cells of a layer in C order of the file's axes (k, j, i), in blocks that fit into memory."""
        lengths = self.turn.in_file_order(layer.frame.shape)
        for box in runs(lengths[::-1], layer.block_cells):
            inside = self.turn.from_file(box.slices[::-1], lengths)
            cells = layer.read(channel, Box(tuple(one.start for one in inside), tuple(one.stop for one in inside)))
            yield self.turn.into_file(cells[None])[0].T


def source_grid(store: Path, record: ImageRecord) -> SourceGrid:
    """The grid of a volume's file, as convert noted it in the volume's store; canonical where it noted none.

    Raises CorruptError for notes that tile-engine did not write.
    """
    affine = _stated(attributes_of(store)) or record.affine or record.placement.canonical_affine(record.frame)
    try:
        affine = affine_of(affine)
        return SourceGrid(record, affine, turn_to(record.name, affine, record.shape))
    except (SlideError, TypeError, ValueError) as error:
        raise CorruptError(f"{store}: its affine is not what was written there ({error}).") from error


def _stated(attributes: dict[str, Any]) -> Any:
    source = attributes.get(ATTRIBUTES_KEY, {}).get("source", {})
    return source.get("affine") if isinstance(source, dict) else None
