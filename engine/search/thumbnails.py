"""thumbnails: pictures of a case: three orthogonal slices through the middle of a volume, or the patch of a tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SlideError
from ...stores.frame import Array, Box, Frame
from ...stores.remote import to_path
from ...stores.source import Source
from ..pipeline.job import Job
from ..pipeline.record import notes_of_orientation
from ..show.neighbours import CasePanel, Plane
from .hits import Case, Hit
from .window import around, open_at_spacing, window

MAX_PLANE_SIDE = 256
"""Voxels along a drawn volume, at most; of a pyramid, the finest level within this limit is drawn."""
MAX_WHOLE_CELLS = 1 << 26
"""Voxels that are read at once, at most; a larger volume is read slice by slice, and its middle is that of its box."""


def case_panel(job: Job[Any], case: Case) -> CasePanel:
    """Title, text and planes of a case; without planes if its file cannot be read (any more)."""
    distance = f"distance {case.distance:.4g}" if isinstance(case, Hit) else ""
    title = f"{case.rank}" if isinstance(case, Hit) else "query"
    place_um = f"at {', '.join(f'{v:.0f}' for v in case.centre)} um" if case.centre else ""
    said = [case.label, f"subject {case.subject}" if case.subject else "", f"site {case.site}" if case.site else ""]
    lines = (distance, *said, place_um)
    planes, sided = tuple[Plane, ...](), False
    try:
        planes, sided = planes_of(job, case)
    except SlideError as error:
        lines = (*lines, f"no picture [{error.code}]")
    name = case.name if case.id else "a file outside the run"  # names of files can be names of patients
    return CasePanel(title, name, tuple(line for line in lines if line), planes, sided)


def planes_of(job: Job[Any], case: Case) -> tuple[tuple[Plane, ...], bool]:
    """(the case as 8-bit RGB planes for display, whether a volume's file states which side is which).

    Raises SlideError if its file cannot be read.
    """
    source, sided = _source_of(job, case)
    return _drawn(job, case, source), sided


def _source_of(job: Job[Any], case: Case) -> tuple[Source, bool]:
    """(what the case's pixels are read from, whether a volume's file states which side is which)."""
    owner = case.slide or case.id
    if owner in job.slides:
        sided = not job.slides[owner].assumed_orientation
        return (job.image(owner) if job.modality.planar else job.stored(owner)), sided
    if case.centre:
        return open_at_spacing(to_path(case.path), job.spacing, case.mpp)[0], False
    from ...stores.volumes.reader import open_volume

    volume = open_volume(to_path(case.path), case.part)
    return volume, not notes_of_orientation(volume.notes)


def _drawn(job: Job[Any], case: Case, source: Source) -> tuple[Plane, ...]:
    owner = case.slide or case.id
    if case.centre:
        centre = case.centre
        if owner in job.slides:
            centre = tuple(job.slides[owner].placement.to_grid(np.array(centre)).tolist())
        box = around(source, centre, job.settings.side)
        frame = source.frames[0]
        return _slices(window(source, box), frame, tuple(n // 2 for n in box.shape))
    level = next((i for i, f in enumerate(source.frames) if max(f.shape) <= MAX_PLANE_SIDE), len(source.frames) - 1)
    frame = source.frames[level]
    middle = _middle(source, level)
    if frame.box.size <= MAX_WHOLE_CELLS:
        return _slices(source.read(frame.box, level), frame, middle)
    return _thin(source, level, middle)


def _middle(source: Source, level: int) -> tuple[int, ...]:
    """Centre of the bright foreground in cells of a level, weighted by squared area, which favours a brain over a neck."""
    last, frame = len(source.frames) - 1, source.frames[level]
    coarse = source.frames[last]
    if coarse.box.size > MAX_WHOLE_CELLS:
        return tuple(n // 2 for n in frame.shape)
    pixels = source.read(coarse.box, last)[0]
    bright = pixels > pixels.mean()
    if not bright.any():
        return tuple(n // 2 for n in frame.shape)
    at = []
    for axis, (spacing, goal) in enumerate(zip(coarse.spacing, frame.spacing, strict=True)):
        area = bright.sum(tuple(i for i in range(bright.ndim) if i != axis), dtype=np.float64) ** 2
        um = float(np.average(np.arange(len(area)) + 0.5, weights=area)) * spacing
        at.append(min(int(um / goal), frame.shape[axis] - 1))
    return tuple(at)


NAMES = ("axial", "coronal", "sagittal")
"""Names of the planes perpendicular to z, y and x."""


def _slices(pixels: Array, frame: Frame, at: tuple[int, ...]) -> tuple[Plane, ...]:
    """Planes of pixels (channel, *axes) through the cell `at`; a patch of a slide is itself the only plane."""
    if len(at) == 2:
        return (Plane("", _shown(pixels), _extent(pixels.shape[1:], frame.spacing)),)
    cuts = [np.take(pixels, i, axis + 1) for axis, i in enumerate(at)]
    return _planes(cuts, frame)


def _thin(source: Source, level: int, at: tuple[int, ...]) -> tuple[Plane, ...]:
    """Planes through the cell `at` of a volume that is too large to be read whole."""
    whole, cuts = source.frames[level].box, []
    for axis, i in enumerate(at):
        start, stop = list(whole.start), list(whole.stop)
        start[axis], stop[axis] = i, i + 1
        cuts.append(np.take(source.read(Box(tuple(start), tuple(stop)), level), 0, axis + 1))
    return _planes(cuts, source.frames[level])


def _planes(cuts: list[Array], frame: Frame) -> tuple[Plane, ...]:
    """Grey planes with one intensity window. Up is superior, or anterior in the axial plane: rows are flipped."""
    flat = np.concatenate([c[0][c[0] != 0].ravel() for c in cuts])
    low, high = np.percentile(flat, (1, 99.5)) if len(flat) else (0.0, 1.0)
    low = min(low, 0.0) if len(flat) and flat.min() >= 0 else low
    out = []
    for axis, (name, cut) in enumerate(zip(NAMES, cuts, strict=True)):
        spacing = [s for i, s in enumerate(frame.spacing) if i != axis]
        grey = np.clip((cut[:, ::-1].astype(np.float32) - low) / max(high - low, 1e-6), 0, 1) * 255
        out.append(Plane(name, _shown(grey.astype(np.uint8)), _extent(cut.shape[1:], spacing)))
    return tuple(out)


def _extent(shape: tuple[int, ...], spacing: tuple[float, ...] | list[float]) -> tuple[float, float]:
    height, width = (n * s for n, s in zip(shape, spacing, strict=True))
    return float(height), float(width)


def _shown(pixels: Array) -> Array:
    """(c, y, x) of any integer type -> uint8 (y, x, 3): the first three channels, or the first as grey."""
    if pixels.dtype != np.uint8:
        pixels = (pixels / max(float(pixels.max()), 1.0) * 255).astype(np.uint8)
    colours = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, 0)
    return np.ascontiguousarray(colours.transpose(1, 2, 0))
