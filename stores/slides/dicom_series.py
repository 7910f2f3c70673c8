"""DICOM series: the files of one slide, and the levels that they make together."""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..foreign import foreign, kind_of_fault
from ..regular import open_regular
from .companions import files_of_series
from .dicom_deflated import check_deflated
from .dicom_levels import ABSENT, DicomLevel, Plane, nearest_plane, planes_of, size_of
from .dicom_positions import Position, header_and_positions

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of whole-slide images."""
FIRST_BYTES, MAX_HEADER = 2**20, 2**30
"""Bytes that are read of a file at first, and at most, to find its pixels."""
_OTHER_PICTURES = ("LABEL", "OVERVIEW", "LOCALIZER")
_THUMBNAIL = "THUMBNAIL"
_PIXEL_TAGS = ("SamplesPerPixel", "BitsAllocated", "PhotometricInterpretation", "PixelRepresentation")


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A file of a series: what it says, and where its pixels begin."""

    path: Path
    dataset: Any
    positions: list[Position]
    """Where its frames lie; empty where it does not say so."""
    at: int


def is_slide(path: Path) -> bool:
    """Whether a DICOM file says, by its class or else its modality, that it is a slide or a part of one.

    A file that pydicom cannot read is no slide. Raises SlideError (E_BOMB) for deflated elements that unpack to far too much.
    """
    import pydicom

    tags = ["SOPClassUID", "Modality", "Rows"]
    try:
        with (
            foreign(lambda why: SlideError(f"{path.name}: is no DICOM ({kind_of_fault(why)}).", "E_DICOM")),
            open_regular(path) as file,
        ):
            check_deflated(file, path.name)
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
            classes = str(dataset.get("SOPClassUID", "")), str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
            is_microscopy = dataset.get("Modality") == "SM" and "Rows" in dataset
    except SlideError as error:
        if error.code == "E_BOMB":
            raise
        return False
    return WHOLE_SLIDE in classes or (is_microscopy and not any(classes))


def files_of(path: Path) -> list[DicomFile]:
    """The file and the others of its series in its folder; pictures of labels and of the whole glass are left out.

    Raises SlideError (E_UNREADABLE) where the file itself cannot be read.
    """
    files: list[DicomFile] = []
    thumbnails: list[DicomFile] = []
    for one in files_of_series(path):
        try:
            file = _file(one)
        except Exception as error:  # pydicom raises whatever a damaged file leads it to
            raise SlideError(
                f"{one.name}: cannot be read as DICOM ({type(error).__name__}); it is damaged or cut short. Copy it again.",
                "E_UNREADABLE",
            ) from error
        kind = [str(word).upper() for word in file.dataset.get("ImageType") or ()]
        if not any(word in kind for word in _OTHER_PICTURES):
            (thumbnails if _THUMBNAIL in kind else files).append(file)
    files += thumbnails  # last: one of them may have the size of the slide itself
    if not files:
        raise SlideError(f"{path.name}: its series holds a label or an overview, and no slide.", "E_NOT_A_SLIDE")
    return files


def _file(path: Path) -> DicomFile:
    """The file, of which as much is read as its header needs."""
    import pydicom

    size, length = path.stat().st_size, FIRST_BYTES
    with open_regular(path) as stream:
        while True:
            stream.seek(0)
            data = stream.read(length)
            try:
                header, positions, at = header_and_positions(data)
            except (ValueError, struct.error):
                if length >= min(size, MAX_HEADER):
                    raise
                length *= 4
            else:
                head = io.BytesIO(header)
                check_deflated(head, path.name)
                return DicomFile(path, pydicom.dcmread(head), positions, at)


def levels_of(files: Sequence[DicomFile], name: str) -> tuple[list[DicomLevel], list[str], list[str]]:
    """(levels, finest first; identifiers of the optical paths that are channels; notes)."""
    notes: list[str] = []
    by_size: dict[tuple[int, int], list[tuple[int, Plane]]] = defaultdict(list)
    sizes = []
    for file in files:
        size, note = size_of(file.dataset, file.positions, name)
        sizes.append(size)
        notes += [note] * (bool(note) and note not in notes)
    first = files[sizes.index(max(sizes, key=lambda size: size[0] * size[1]))].dataset
    tiles: dict[tuple[int, int], tuple[int, int]] = {}
    for number, (file, size) in enumerate(zip(files, sizes, strict=True)):
        tile = int(file.dataset.Rows), int(file.dataset.Columns)
        if _pixels(file.dataset) != _pixels(first) or tiles.setdefault(size, tile) != tile:
            notes.append(
                f"an image of {size[1]} x {size[0]} pixels has another kind of pixels or tiles and is not read"
            )
            continue
        planes, note = planes_of(file.dataset, file.positions, size, name)
        notes += [note] * (bool(note) and note not in notes)
        by_size[size] += [(number, plane) for plane in planes]
    shapes = sorted(by_size, key=lambda size: -size[0] * size[1])
    paths = list(dict.fromkeys(plane.path for _, plane in by_size[shapes[0]]))
    if int(first.SamplesPerPixel) > 1 and len(paths) > 1:
        notes.append(f"{len(paths)} optical paths in colour; the first one ({paths[0]}) is read")
        paths = paths[:1]
    levels = []
    for shape in shapes:
        z, note = nearest_plane(plane.z for _, plane in by_size[shape])
        notes += [note] * (bool(note) and note not in notes)
        level = _level(shape, tiles[shape], [(i, p) for i, p in by_size[shape] if p.z == z or p.z is None], paths)
        if level is None:
            notes.append(f"a level of {shape[1]} x {shape[0]} pixels lacks an optical path and is not read")
        else:
            levels.append(level)
    return levels, paths, notes


def _level(
    shape: tuple[int, int], tile: tuple[int, int], planes: Sequence[tuple[int, Plane]], paths: Sequence[str]
) -> DicomLevel | None:
    """The level of some planes; None where one of the optical paths has none."""
    grid = -(-shape[0] // tile[0]), -(-shape[1] // tile[1])
    files, frames = (np.full((len(paths), *grid), ABSENT, np.int64) for _ in range(2))
    for number, plane in planes:
        if plane.path in paths:
            channel = paths.index(plane.path)
            there = (plane.frames != ABSENT) & (files[channel] == ABSENT)  # of several copies the first counts
            files[channel][there], frames[channel][there] = number, plane.frames[there]
    return DicomLevel(shape, tile, files, frames) if {plane.path for _, plane in planes} >= set(paths) else None


def _pixels(dataset: Any) -> tuple[str, ...]:
    colours = str(dataset.get("PhotometricInterpretation", ""))
    kind = "colour" if colours.startswith(("RGB", "YBR")) else colours
    return (kind, *(str(dataset.get(tag)) for tag in _PIXEL_TAGS if tag != "PhotometricInterpretation"))
