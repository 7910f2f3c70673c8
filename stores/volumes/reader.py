"""Opening of volumes: the content of a file decides the reader, its affine decides Right, Anterior and Superior."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from ...errors import SlideError, TileError
from ..cache import Lease, is_copied
from ..foreign import foreign, kind_of_fault
from ..frame import Array, Box, Frame
from ..placement import Affine, Placement, placement
from ..remote import to_path
from ..slides import zarr_levels
from ..slides.file_marks import fingerprint
from . import dicom_reader, nifti_reader, npz_reader, nrrd_reader, zarr_reader
from .file_head import first_bytes, not_a_volume
from .label_maps import looks_labelled, stated_label_map
from .orient import canonical
from .voxels import Voxels

MAX_CHECKED_BYTES = 2**31
"""Bytes of a mapped floating-point file that are checked for numbers that are not finite when it is opened, at most."""
MAX_PLANE_CELLS = 2**26
"""Cells of a plane that is looked at as a whole when a volume is opened."""
PART_CELLS = 2**12
"""Cells along each side of the parts of a larger one."""
MAX_COARSEST_BYTES = 2**26
"""Bytes of the coarsest level of a chunked store that are read for the same check, at most."""


@dataclass(frozen=True, slots=True)
class VolumeReader:
    """A row of the table of readers."""

    name: str
    accepts: Callable[[Path, bytes], bool]
    """(path, first bytes) -> whether this reader accepts the file."""
    open: Callable[[Path, str], Voxels]
    """(path, part) -> the open volume."""


VOLUME_READERS = (
    VolumeReader("ome-zarr", zarr_levels.accepts, zarr_reader.open_zarr),
    VolumeReader("nifti", nifti_reader.accepts, nifti_reader.open_nifti),
    VolumeReader("nrrd", nrrd_reader.accepts, nrrd_reader.open_nrrd),
    VolumeReader("npz", npz_reader.accepts, npz_reader.open_npz),
    VolumeReader("dicom", dicom_reader.accepts, dicom_reader.open_dicom),
)
"""All readers; the first that accepts a file reads it."""


class Volume:
    """An open volume as a Source in canonical orientation; close it, or use it in a `with` statement."""

    def __init__(self, name: str, voxels: Voxels, lease: Lease | None = None) -> None:
        self._name = name
        self._voxels: Voxels | None = voxels
        self._turn = canonical(name, voxels.affine, voxels.shape)
        self._frames = self._turn.levels(voxels.frames) if voxels.frames else (self._turn.frame,)
        self._placement = placement(self._frames[0], self._turn.affine)
        scaled = voxels.scale != (1.0, 0.0)
        self._dtype = np.dtype(np.float32) if scaled else voxels.stored.newbyteorder("=")
        self._notes = list(voxels.notes)
        if self._turn.oblique:
            self._notes.append(
                "its grid is oblique; each axis is named by its nearest direction. Positions in tables, masks and search "
                "follow its affine; OME-Zarr has no rotation yet, so other programs show its store unturned"
            )
        self._labels = voxels.labels or ("" if scaled else stated_label_map(name))
        self._look()
        self._release = weakref.finalize(self, lease.release) if lease else None

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Axes z, y, x; x grows to the Right, y to Anterior, z to Superior."""
        return self._frames

    @property
    def channels(self) -> int:
        return self._open.channels

    @property
    def dtype(self) -> str:
        """Type as stored, in native byte order; float32 if the file scales its values."""
        return self._dtype.name

    @property
    def background(self) -> int:
        return 0

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        """Empty: a volume's file has no tiles that reads should be aligned to."""
        return ()

    @property
    def reader(self) -> str:
        """Name of the reader: "nifti", "mgh", "nrrd", "dicom", "npz" or "ome-zarr"."""
        return self._open.reader

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on unusual properties of the file."""
        return tuple(self._notes)

    @property
    def affine(self) -> Affine:
        """The file's 4 x 4 matrix from its indices (i, j, k, 1) to millimetres Right, Anterior, Superior."""
        return self._open.affine

    @property
    def stored(self) -> str:
        """How the file holds its cells, for display: along its own axes, in its own type."""
        return self._open.text

    @property
    def canonical_affine(self) -> Affine:
        """The 4 x 4 matrix from canonical indices (x, y, z, 1) to millimetres Right, Anterior, Superior."""
        return self._turn.affine

    @property
    def placement(self) -> Placement:
        """Where positions on the frames lie in the scanner."""
        return self._placement

    @property
    def labels(self) -> str:
        """Why its numbers name regions, so that they are never averaged; empty for a scan."""
        return self._labels

    def read(self, box: Box, level: int = 0) -> Array:
        """Cells of `box` inside `frames[level]`: (channel, z, y, x); values that are not finite become 0.

        Raises TileError if they cannot be decoded, ValueError for a box outside of the frame.
        """
        frame = self._frames[level]
        if not frame.box.contains(box):
            raise ValueError(
                f"a box is read inside its frame: {box} is not within {frame.shape} of level {level}. Clip it first."
            )
        voxels = self._open  # raises ValueError where the volume is closed
        with foreign(
            lambda why: TileError(
                f"{self._name}: {box} of level {level} cannot be read: {voxels.reader} fails unexpectedly ({why})"
            )
        ):
            return self._finite(self._cells(box, level))

    def absent(self, box: Box) -> list[Box]:
        """The parts of `box`, inside the finest frame, that the file does not hold; they are read as its fill value."""
        lengths = self._open.shape
        parts = self._open.absent(self._turn.into(box.slices, lengths))
        turned = (self._turn.from_file(part, lengths) for part in parts)
        return [Box(tuple(one.start for one in part), tuple(one.stop for one in part)) for part in turned]

    def close(self) -> None:
        self._voxels = None
        if self._release:
            self._release()

    def __enter__(self) -> Volume:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _open(self) -> Voxels:
        if self._voxels is None:
            raise ValueError(f"{self._name} is closed")
        return self._voxels

    def _cells(self, box: Box, level: int) -> Array:
        """Scaled cells in canonical orientation, values that are not finite included."""
        voxels, lengths = self._open, self._turn.in_file_order(self._frames[level].shape)
        cells = self._turn.out_of(voxels.cells(level, self._turn.into(box.slices, lengths)))
        slope, inter = voxels.scale
        if (slope, inter) != (1.0, 0.0):
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(cells * np.float64(slope) + np.float64(inter), np.float32)
        return np.ascontiguousarray(cells, self._dtype)

    @staticmethod
    def _finite(cells: Array) -> Array:
        return np.nan_to_num(cells, copy=True, nan=0.0, posinf=0.0, neginf=0.0) if cells.dtype.kind == "f" else cells

    def _look(self) -> None:
        """Raise SlideError (E_DEGENERATE) for a constant volume; note values that are not finite.

        A floating-point volume in memory, or mapped into it, is checked as a whole; others from the middle plane outwards until
        two cells differ.
        """
        voxels = self._open
        mapped = not voxels.frames and self._frames[0].box.size * voxels.stored.itemsize <= MAX_CHECKED_BYTES
        whole = self._dtype.kind == "f" and (voxels.kept or (mapped and voxels.stored.kind == "f"))
        low = high = None
        odd = 0
        for box in self._planes():
            try:
                cells = self._cells(box, 0)
            except TileError:
                return  # reported and masked when it is read
            odd += int(cells.size - np.isfinite(cells).sum()) if cells.dtype.kind == "f" else 0
            cells = self._finite(cells)
            if low is None and not self._labels and looks_labelled(cells[0, 0]) and self._all_labelled():
                self._labels = "its whole numbers are few and fill regions"
            low = cells.min() if low is None else min(low, cells.min())
            high = cells.max() if high is None else max(high, cells.max())
            if low != high and not whole:
                break
        odd = odd or self._odd_of_coarsest()
        if odd:
            self._notes.append(f"{odd} cells that were checked hold no finite number; they are read as 0")
        if low is not None and low == high:
            raise SlideError(
                f"{self._name}: all of its cells are {low:g}{' or no numbers' if odd else ''}, so it shows no structure. "
                "Check how it was made.",
                "E_DEGENERATE",
            )

    def _odd_of_coarsest(self) -> int:
        """Cells that are not finite in the coarsest level of a chunked store, whose means take them over from finer levels."""
        level = len(self._frames) - 1
        box = self._frames[level].box
        stored = self._open.stored
        if not self._open.frames or stored.kind != "f" or box.size * stored.itemsize > MAX_COARSEST_BYTES:
            return 0
        try:
            cells = self._cells(box, level)
        except TileError:
            return 0  # reported and masked when it is read
        return int(cells.size - np.isfinite(cells).sum())

    def _all_labelled(self) -> bool:
        """Whether the planes at a third and two thirds of the depth look like those of a label map, or are 0."""
        depth, *plane = self._frames[0].shape
        if math.prod(plane) > MAX_PLANE_CELLS:
            return False
        thirds = (Box((z, 0, 0), (z + 1, *plane)) for z in (depth // 3, 2 * depth // 3))
        return all(not cells.any() or looks_labelled(cells) for cells in (self._cells(b, 0)[0, 0] for b in thirds))

    def _planes(self) -> Iterator[Box]:
        """Planes from the middle outwards; of large ones the parts, the middle one first."""
        depth, *plane = self._frames[0].shape
        for z in sorted(range(depth), key=lambda z: (abs(z - depth // 2), z)):
            whole = Box((z, 0, 0), (z + 1, *plane))
            if whole.size <= MAX_PLANE_CELLS:
                yield whole
                continue
            parts = list(whole.cut((1, PART_CELLS, PART_CELLS)))
            yield from parts[len(parts) // 2 :]
            yield from parts[: len(parts) // 2]


def open_volume(path: Path, part: str = "") -> Volume:
    """Open a volume. `part` names the volume inside a file: a time point ("t=3"), a series of a folder, "train_images/12".

    Raises SlideError with a reason code: E_EMPTY, E_MISSING, E_NOT_A_VOLUME, E_UNREADABLE, E_MISSING_COMPANION, E_TIME,
    E_AFFINE, E_GEOMETRY, E_DICOM, E_DEGENERATE, E_UNSUPPORTED_PIXELS, E_TRUNCATED, E_MALFORMED, E_BOMB, E_TOO_BIG, E_NGFF,
    E_PATH.
    """
    path = to_path(path)
    lease = Lease(path, fingerprint(path)) if is_copied(path) else None
    try:
        with foreign(partial(_unforeseen, path.name)):
            return Volume(path.name, _voxels(lease.path if lease else path, part), lease)
    except BaseException as error:
        if lease:
            lease.release()
        if (
            isinstance(error, SlideError) and error.code == "E_NOT_A_SLIDE"
        ):  # raised by code that slides and volumes share
            raise SlideError(error.message, "E_NOT_A_VOLUME") from error
        raise


def _unforeseen(name: str, why: str) -> SlideError:
    text = f"{name}: cannot be opened: its reader fails unexpectedly ({kind_of_fault(why)}); it is probably damaged."
    return SlideError(f"{text} Copy it again, or convert it with another tool.", "E_UNREADABLE")


def _voxels(path: Path, part: str) -> Voxels:
    head = first_bytes(path)
    for reader in VOLUME_READERS:
        if reader.accepts(path, head):
            try:
                return reader.open(path, part)
            except OSError as error:
                raise SlideError(f"{path.name}: cannot be read ({error.strerror}).", "E_UNREADABLE") from error
    raise not_a_volume(path, head)
