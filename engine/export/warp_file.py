"""warp_file: points, outlines and labels of one section on the reference of its block, and back, as a new file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CorruptError, SettingsError
from ...stores.cells import LabelCells
from ...stores.files import write_whole
from ...stores.folder import Folder
from ...stores.frame import Array, Box, Frame
from ...stores.memory import MemorySource
from ...stores.regular import read_whole
from ...stores.remote import absolute
from ...stores.slides.label_file import read_label_file, write_label_file
from ...stores.slides.outside_mask import IMAGES, MAX_PIXELS, MAX_RATIO, OUTLINES
from ...stores.warps.points import read_points, to_pixels, to_um
from ...stores.warps.stored import accepted, read_warp
from ...stores.warps.warp import Warp
from ...stores.warps.warped import Warped, Whole
from ..pipeline.documents import read_run
from ..pipeline.image_documents import read_images
from ..pipeline.listing import first_of
from ..pipeline.record import ImageRecord
from ..pipeline.section_file import SectionFile
from .geojson_points import moved_geojson

TABLES = (".csv", ".tsv")
BLOCK_SIDE = 2048
MAX_GEOJSON_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class WarpedFile:
    """What a call of `warp_file` wrote."""

    path: str
    block: str
    stain: str
    kind: str
    """points, outlines or labels."""
    count: int
    """Points, features or pixels that were written."""
    lost: int
    """Points, features or pixels of labels for which the map has no place on the other section."""
    measurements: int = 0
    """Outlines whose measurements (QuPath's areas, centroids ...) were left out, since they hold no more."""


@dataclass(frozen=True, slots=True)
class _Direction:
    """The map of a file's positions, and the frames of the section it lies on and of the one it is brought to."""

    move: Callable[[Array], Array]
    """Positions (n, 2) in micrometres of the first -> of the second section."""
    pull: Warp
    """From the second section to the first, for images."""
    start: Frame
    end: Frame
    corners: tuple[Array, Array]
    """Pixel (y, x) of level 0 from which QuPath counts, in the first and the second section."""
    bend: float
    """Micrometres within which the map is nearly straight."""


def warp_file(
    out: str | Path,
    file: str | Path,
    *,
    block: str,
    stain: str,
    inverse: bool = False,
    to: str | Path | None = None,
    overwrite: bool = False,
) -> WarpedFile:
    """Bring a file of one section onto the reference of its block; with `inverse` from the reference onto the section.

    Points (CSV with X, Y) and GeoJSON are in pixels of level 0 of their section's file: whole numbers are the centres of
    pixels in a table of points, as BIRL writes landmarks, and their corners in GeoJSON, as in QuPath and in the GeoJSON of a
    run. An image of labels (PNG, TIFF, or a label of an OME-Zarr) covers its whole section at any resolution. The new file
    lies beside `file`, or for a label of an OME-Zarr in the current folder, unless `to` names it.

    Raises SettingsError: E_NO_SECTION for a block or stain that the run does not have, E_NOT_REGISTERED for a rejected pair,
    E_EXISTS for a file that is there already, E_WARP_FILE for a name of another kind, E_POINTS, E_GEOJSON and E_LABEL_IMAGE
    for contents that cannot be read.
    """
    source = absolute(file)
    folder, image, section = _section(out, block, stain)
    if not source.exists():
        raise SettingsError(f"{source} does not exist.", "E_MISSING_FILE")
    kind, suffixes = _kind(source)
    name = _name(source, stain, inverse=inverse)
    target = absolute(to) if to else absolute(name) if source.is_dir() else source.with_name(name)
    if target.suffix.lower() not in suffixes:
        raise SettingsError(
            f"{target.name} does not end in {' or '.join(suffixes)}: {kind} are written as one of them.", "E_WARP_FILE"
        )
    if target == source or (target.exists() and not overwrite):
        raise SettingsError(
            f"{target} is there already: nothing was written. Give another name with --out, or --overwrite.", "E_EXISTS"
        )
    way = _direction(folder, image, section, inverse=inverse)
    counts = {"points": _points, "outlines": _outlines, "labels": _labels}[kind](source, target, way)
    return WarpedFile(str(target), image.name, section.stain, kind, *counts)


def _kind(source: Path) -> tuple[str, tuple[str, ...]]:
    """What a file holds, and how the names of such files end. Raises SettingsError (E_WARP_FILE) for another file."""
    kinds = {"points": TABLES, "outlines": OUTLINES, "labels": IMAGES}
    for kind, suffixes in kinds.items():
        if source.suffix.lower() in suffixes and not source.is_dir():
            return kind, suffixes
    if source.is_dir():
        return "labels", IMAGES
    known = ", ".join((*TABLES, *OUTLINES, *IMAGES))
    raise SettingsError(f"{source.name} is none of {known}, nor a folder of labels as OME-Zarr.", "E_WARP_FILE")


def _section(out: str | Path, block: str, stain: str) -> tuple[Folder, ImageRecord, SectionFile]:
    folder = Folder(absolute(out), "sections")
    read_run(folder)  # raises where there is no run
    images = read_images(folder)
    blocks = {record.name: record for record in images.values() if record.sections}
    if not blocks:
        raise SettingsError(f"{out} holds no registered sections: it is no run on --sections.", "E_NO_SECTION")
    record = blocks.get(block) or images.get(block)
    if record is None:
        raise SettingsError(f"{out} has no block {block!r}; its blocks are {first_of(list(blocks))}.", "E_NO_SECTION")
    section = record.section(stain)
    if section is None:
        known = ", ".join(one.stain for one in record.sections)
        raise SettingsError(f"block {record.name} has no section {stain!r}; its stains are {known}.", "E_NO_SECTION")
    return folder, record, section


def _name(source: Path, stain: str, *, inverse: bool) -> str:
    stem, suffix = source.name.removesuffix(source.suffix), source.suffix
    place = f"on-{stain}" if inverse else "on-reference"
    return f"{stem}.{''.join(c if c.isalnum() else '-' for c in place)}{'.tif' if source.is_dir() else suffix}"


def _direction(folder: Folder, record: ImageRecord, section: SectionFile, *, inverse: bool) -> _Direction:
    reference = record.reference.frame
    if section.reference:
        warp = Warp.of_affine([[1, 0, 0], [0, 1, 0]])
    else:
        path = folder.transform(record.id, section.id)
        if not path.exists():
            raise CorruptError(f"{path} is missing: the registration of this pair is not done, or was removed.")
        if not accepted(path):
            raise SettingsError(
                f"the registration of {section.stain} to {record.reference.stain} was rejected, so nothing can be brought "
                f"over; pairs/{record.id}/{section.id}.json says why.",
                "E_NOT_REGISTERED",
            )
        warp = read_warp(path)
    bend = min((min(part.grid.spacing) for part in warp.parts if part.grid), default=float("inf"))
    first, second = (np.array(one.corner or (0, 0), np.float64) for one in (section, record.reference))
    if inverse:
        return _Direction(warp.to_moving, warp.inverse(), reference, section.frame, (second, first), bend)
    return _Direction(warp.to_reference, warp, section.frame, reference, (first, second), bend)


def _points(source: Path, target: Path, way: _Direction) -> tuple[int, int]:
    table = read_points(source)
    if target.suffix.lower() == ".tsv":
        table = replace(table, delimiter="\t")
    moved = to_pixels(way.move(to_um(table.points, way.start)), way.end)
    lost = int((~np.isfinite(moved).all(1)).sum())
    write_whole(target, table.text(moved).encode())
    return len(moved) - lost, lost


def _outlines(source: Path, target: Path, way: _Direction) -> tuple[int, int, int]:
    try:
        value = json.loads(read_whole(source, MAX_GEOJSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{source} is no GeoJSON ({error}).", "E_GEOJSON") from error

    def move(points: Array) -> Array:
        positions = to_um(points + way.corners[0], way.start, corners=True)
        return to_pixels(way.move(positions), way.end, corners=True) - way.corners[1]

    moved = moved_geojson(value, move, longest=way.bend / 2 / max(way.start.spacing), name=source.name)
    try:
        text = json.dumps(moved.value)
    except RecursionError as error:
        raise SettingsError(f"{source} is no GeoJSON ({error}).", "E_GEOJSON") from error
    write_whole(target, text.encode())
    return moved.kept, moved.lost, moved.measurements


def _labels(source: Path, target: Path, way: _Direction) -> tuple[int, int]:
    """Labels on the other section, at their own spacing, in the format of the file: of a label of an OME-Zarr TIFF."""
    labels, start = (_stored_labels if source.is_dir() else _label_image)(source, way.start)
    lengths = [n * s for n, s in zip(way.end.shape, way.end.spacing, strict=True)]
    shape = tuple(max(1, round(length / s)) for length, s in zip(lengths, start.spacing, strict=True))
    end = Frame(
        way.end.axes, shape, tuple(length / n for length, n in zip(lengths, shape, strict=True)), way.end.origin
    )
    warped = Warped(Whole(MemorySource(labels[None], frames=(start,), background=0)), way.pull, (end,), nearest=True)
    out, lost = np.zeros(end.shape, labels.dtype), 0
    for box in _boxes(end):
        out[box.slices] = warped.read(box)[0]
        lost += warped.unplaced(box)
    write_label_file(target, out, spacing=end.spacing[0])
    return out.size, lost


def _label_image(source: Path, section: Frame) -> tuple[Array, Frame]:
    """Labels of an image that covers the whole section, whatever its resolution, and their frame."""
    labels = read_label_file(source)
    spacing = tuple(n * s / m for n, s, m in zip(section.shape, section.spacing, labels.shape, strict=True))
    if abs(spacing[0] / spacing[1] - 1) > MAX_RATIO + 1 / min(labels.shape):
        raise SettingsError(
            f"{source.name} has {labels.shape[1]} x {labels.shape[0]} pixels and the section "
            f"{section.shape[1]} x {section.shape[0]}: another aspect ratio, so it does not cover the whole section.",
            "E_LABEL_IMAGE",
        )
    return labels, Frame(section.axes, labels.shape, spacing, section.origin)


def _stored_labels(source: Path, section: Frame) -> tuple[Array, Frame]:
    """The cells of a label of an OME-Zarr, and their frame, whose last cells may reach beyond the section.

    Raises SettingsError (E_LABEL_IMAGE) for one that is too large, none, or of something of another size.
    """
    stored = LabelCells.open(source)
    frame = stored.frame
    if len(frame.shape) != 2 or frame.box.size > MAX_PIXELS or stored.image.levels[0].spec.names[0] == "c":
        raise SettingsError(f"{source} is no label of at most {MAX_PIXELS:,} pixels (y, x).", "E_LABEL_IMAGE")
    for n, s, m, spacing in zip(section.shape, section.spacing, frame.shape, frame.spacing, strict=True):
        if abs(n * s - m * spacing) > MAX_RATIO * n * s + 2 * spacing:
            raise SettingsError(
                f"{source.name} is {m * spacing:g} um long along an axis along which the section is {n * s:g} um long: it is "
                "the label of something else.",
                "E_LABEL_IMAGE",
            )
    return stored.read_all(), frame


def _boxes(frame: Frame) -> Iterator[Box]:
    return frame.box.cut((BLOCK_SIDE, BLOCK_SIDE))


def as_values(done: WarpedFile) -> dict[str, Any]:
    return {name: getattr(done, name) for name in WarpedFile.__dataclass_fields__}
