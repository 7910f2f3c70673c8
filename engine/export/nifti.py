"""nifti: a label or layer of a volume as NIfTI, with its sidecar and, of a label map, the table of its labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...errors import SettingsError, UnfinishedError
from ...stores.array import Written
from ...stores.files import crc32, write_durably
from ...stores.frame import Array, Frame
from ...stores.image import StoredImage
from ...stores.partial_file import PartialFile
from ...stores.regrid import Regridded, is_same_grid
from ...stores.volumes.nifti_writer import NiftiVolume, stored_dtype, write_nifti
from ...stores.volumes.orient import directions
from ..pipeline.documents import RunDocument
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord, digest
from ..pipeline.settings import RunSettings
from .fields import Field, content_of, stamp_of
from .names import SourceName, plain_names, source_names
from .owned import forget, remember
from .sidecars import as_json, labels_of, sidecar, table_of
from .source_grid import SourceGrid, source_grid

NIFTI = "nifti"
VERSION = 2
"""Changes when the same field would be written otherwise."""
OWN_GRID = "layer"
"""The entity `res` of files on a layer's own grid."""


@dataclass(frozen=True, slots=True)
class NiftiFile:
    """One field of one volume, and what it is exported as."""

    image: str
    """Id of the volume."""
    source: SourceGrid
    field: Field
    stored: StoredImage
    frame: Frame
    """The grid that it is written on, in canonical axes; the file has the source's."""
    stem: Path
    """Path without an ending."""

    @property
    def record(self) -> ImageRecord:
        return self.source.record

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


def nifti_files(job: Job[RunSettings], fields: dict[str, list[Field]], folder: Path, grid: str) -> list[NiftiFile]:
    """What fields of the volumes of a run are exported as. Raises SettingsError (E_NO_LAYER) for two of one name."""
    names = source_names(job.slides)
    descriptions = plain_names(one.name for found in fields.values() for one in found)
    grids = {image: source_grid(job.folder.slide(image), job.slides[image]) for image, found in fields.items() if found}
    files = [
        _nifti_file(folder, one, (image, grids[image], names[image]), descriptions[one.name], grid)
        for image, found in fields.items()
        for one in found
    ]
    doubled = [path for path, count in Counter(one.path for one in files).items() if count > 1]
    if doubled:
        raise SettingsError(
            f"two labels or layers would be exported as {doubled[0]}: choose one of them with --layer.", "E_NO_LAYER"
        )
    return files


def _nifti_file(
    folder: Path, field: Field, image: tuple[str, SourceGrid, SourceName], desc: str, grid: str
) -> NiftiFile:
    """A field of an image (id, grid of its file, name) on a grid: auto, source or layer.

    `auto` is the source's grid, but for coarser layers of several channels: those on the source's grid would be many times
    larger than the source.
    """
    identity, source, name = image
    record = source.record
    stored = StoredImage.open(field.path)
    keeps = grid == "layer" or (grid == "auto" and stored.channels > 1)
    frame = stored.frames[0] if keeps and not is_same_grid(stored.frames[0], record.frame) else record.frame
    if field.is_version(stored, record):
        suffix = name.suffix
    else:
        suffix = "dseg" if field.is_map(stored, record) else "map"
    resolution = OWN_GRID if frame != record.frame else ""
    return NiftiFile(identity, source, field, stored, frame, folder / name.named(desc, suffix, resolution=resolution))


def fingerprint_of(one: NiftiFile) -> str:
    """Fingerprint of all that decides a field's files; reads the bytes of the stored field."""
    turned = [] if one.source.is_canonical else [one.source.affine]
    return digest(VERSION, one.record.key, asdict(one.frame), one.stem.name, content_of(one.field, one.stored), *turned)


def write_file(folder: Path, one: NiftiFile, run: RunDocument) -> list[Written]:
    """Write a field's files, in bounded memory. Each is whole or absent, and known by a receipt before it has its name.

    Raises UnfinishedError where another command changed the field meanwhile.
    """
    stamp, fingerprint = stamp_of(one.field, one.stored), fingerprint_of(one)
    layer = Regridded(one.stored, one.frame, nearest=one.is_map)
    present: set[int] = set()
    shape, affine = one.source.shape_of(one.frame), one.source.affine_of(one.frame)
    volume = NiftiVolume(shape, one.stored.channels, one.stored.dtype, affine, one.is_map)
    with PartialFile(one.path) as file:
        write_nifti(file, volume, _parts(one, layer, present if one.is_map else None))
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


def _parts(one: NiftiFile, layer: Regridded, present: set[int] | None) -> Iterator[Array]:
    """Blocks of cells in the file's order; `present` takes the values that occur."""
    for channel in range(one.stored.channels):
        for part in one.source.blocks(layer, channel):
            if present is not None:
                present.update(np.unique(part).tolist())
            yield part


def _documents(one: NiftiFile, run: RunDocument, present: list[int]) -> dict[Path, bytes]:
    value = sidecar(run, one.field, one.record, OWN_GRID if one.has_own_grid else "")
    spacing = [round(s / 1e3, 9) for s in one.source.turn.in_file_order(one.frame.spacing)]
    value["TileEngine"] |= {"Axes": "".join(directions(one.source.affine)), "SpacingMillimetres": spacing}
    if stored_dtype(one.stored.dtype) != one.stored.dtype:
        value["TileEngine"] |= {"StoredAs": one.stored.dtype}
    if not one.is_map:
        return dict(zip(one.targets[1:], [as_json(value)], strict=True))
    value = {k: v for k, v in value.items() if k != "Units"} | {"Manual": False}
    return dict(zip(one.targets[1:], [as_json(value), table_of(labels_of(one.field, present))], strict=True))
