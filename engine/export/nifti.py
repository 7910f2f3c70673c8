"""nifti: a label or layer of a volume as NIfTI, with its sidecar and, of a label map, the table of its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...errors import UnfinishedError
from ...stores.array import Written
from ...stores.files import crc32, write_durably
from ...stores.frame import Array, Frame
from ...stores.image import StoredImage
from ...stores.partial_file import PartialFile
from ...stores.placement import Affine
from ...stores.regrid import Regridded, is_same_grid
from ...stores.volumes.nifti_writer import NiftiVolume, stored_dtype, write_nifti
from ..pipeline.documents import RunDocument
from ..pipeline.record import ImageRecord, digest
from .fields import Field, content_of, stamp_of
from .names import SourceName
from .owned import forget, remember
from .sidecars import as_json, labels_of, sidecar, table_of

NIFTI = "nifti"
VERSION = 1
"""Changes when the same field would be written otherwise."""
OWN_GRID = "layer"
"""The entity `res` of files on a layer's own grid."""


@dataclass(frozen=True, slots=True)
class NiftiFile:
    """One field of one volume, and what it is exported as."""

    image: str
    """Id of the volume."""
    record: ImageRecord
    field: Field
    stored: StoredImage
    frame: Frame
    """The grid that it is written on."""
    stem: Path
    """Path without an ending."""

    @property
    def is_map(self) -> bool:
        return self.field.is_map(self.stored, self.record)

    @property
    def has_own_grid(self) -> bool:
        """Whether it keeps a grid other than the source's."""
        return self.frame != self.record.frame

    @property
    def path(self) -> Path:
        return self.stem.with_name(f"{self.stem.name}.nii.gz")

    @property
    def targets(self) -> list[Path]:
        """Its files; the volume is the first."""
        ends = (".json", ".tsv") if self.is_map else (".json",)
        return [self.path, *(self.stem.with_name(self.stem.name + end) for end in ends)]

    @property
    def unit(self) -> str:
        """Name of its receipt."""
        return f"{self.image}/{OWN_GRID if self.has_own_grid else 'source'}/{self.field.below}"

    @property
    def affine(self) -> Affine:
        """The canonical affine of its grid; of the source's own grid the source's own."""
        own = self.record.affine and not self.has_own_grid
        return self.record.affine if own else self.record.placement.canonical_affine(self.frame)


def nifti_file(
    folder: Path, field: Field, image: tuple[str, ImageRecord, SourceName], desc: str, grid: str
) -> NiftiFile:
    """A field of an image (id, record, name) on a grid: auto, source or layer.

    `auto` is the source's grid, but for coarser layers of several channels: those on the source's grid would be many times
    larger than the source.
    """
    identity, record, name = image
    stored = StoredImage.open(field.path)
    keeps = grid == "layer" or (grid == "auto" and stored.channels > 1)
    frame = stored.frames[0] if keeps and not is_same_grid(stored.frames[0], record.frame) else record.frame
    if field.is_version(stored, record):
        suffix = name.suffix
    else:
        suffix = "dseg" if field.is_map(stored, record) else "map"
    resolution = OWN_GRID if frame != record.frame else ""
    return NiftiFile(identity, record, field, stored, frame, folder / name.named(desc, suffix, resolution=resolution))


def fingerprint_of(one: NiftiFile) -> str:
    """Fingerprint of all that decides a field's files; reads the bytes of the stored field."""
    return digest(VERSION, one.record.key, asdict(one.frame), one.stem.name, content_of(one.field, one.stored))


def write_file(folder: Path, one: NiftiFile, run: RunDocument) -> list[Written]:
    """Write a field's files, in bounded memory. Each is whole or absent, and known by a receipt before it has its name.

    Raises UnfinishedError where another command changed the field meanwhile.
    """
    stamp, fingerprint = stamp_of(one.field, one.stored), fingerprint_of(one)
    layer = Regridded(one.stored, one.frame, nearest=one.is_map)
    present: set[int] = set()
    volume = NiftiVolume(one.frame.shape, one.stored.channels, one.stored.dtype, one.affine, one.is_map)
    with PartialFile(one.path) as file:
        write_nifti(file, volume, _parts(layer, one.stored.channels, present if one.is_map else None))
        files = [file.close()]
        if stamp_of(one.field, one.stored) != stamp:
            raise UnfinishedError(
                f"{one.field.path} changed while it was exported: another command writes there. Nothing was written of it: "
                "run the same command again when that one is done."
            )
        documents = _documents(one, run, sorted(present))
        files += [Written(path, len(data), crc32(data)) for path, data in documents.items()]
        forget(folder, NIFTI, one.unit)
        remember(folder, NIFTI, one.unit, fingerprint, files)
        file.commit()
    for path, data in documents.items():
        write_durably(path, data)
    return files


def _parts(layer: Regridded, channels: int, present: set[int] | None) -> Iterator[Array]:
    """Blocks of cells in the file's order; `present` takes the values that occur."""
    for channel in range(channels):
        for box in layer.blocks():
            part = layer.read(channel, box)
            if present is not None:
                present.update(np.unique(part).tolist())
            yield part


def _documents(one: NiftiFile, run: RunDocument, present: list[int]) -> dict[Path, bytes]:
    value = sidecar(run, one.field, one.record, one.frame, OWN_GRID if one.has_own_grid else "")
    if stored_dtype(one.stored.dtype) != one.stored.dtype:
        value["TileEngine"] |= {"StoredAs": one.stored.dtype}
    if not one.is_map:
        return dict(zip(one.targets[1:], [as_json(value)], strict=True))
    value = {k: v for k, v in value.items() if k != "Units"} | {"Manual": False}
    return dict(zip(one.targets[1:], [as_json(value), table_of(labels_of(one.field, present))], strict=True))
