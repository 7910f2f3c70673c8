"""describe: describes a slide, a volume, a store or a run's folder for users."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import NoInputError, SlideError, TileEngineError
from ...stores.files import bytes_below
from ...stores.folder import Folder
from ...stores.frame import Frame
from ...stores.image import ATTRIBUTES_KEY, StoredImage, attributes_of, labels_listed
from ...stores.likeness import meant
from ...stores.placement import Placement, turned_by
from ...stores.remote import ObjectPath, to_path
from ...stores.shown import shown
from ...stores.slides.cohort import find
from ...stores.slides.cut_short import check_cut, cut_notes
from ...stores.slides.reader import Probe, probe
from ...stores.slides.scan_facts import scan_facts
from ...stores.slides.spacing import FROM_USER
from ..images.guess import ANY_INPUT
from ..images.opening import level_read
from ..pipeline.documents import runs_below
from ..steps.settings import SlideSettings
from .status import statuses

MAX_IMAGES = 1000
"""Images of a folder that are opened, at most."""


@dataclass(frozen=True, slots=True)
class Description:
    """Facts in display order, levels, notes and problems."""

    facts: tuple[tuple[str, str], ...]
    levels: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Of a folder or a list: a line for each image in it."""
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """(reason code, fault and remedy); empty where the file can be used as it is."""


def describe(path: str | Path, mpp: float | None = None, part: str = "") -> Description:
    """Describe the file, folder or list at `path`. Raises NoInputError where it does not exist, or holds no images."""
    path = to_path(path)
    found = _described(path, mpp, part)
    if "pixels" not in dict(found.facts) or isinstance(path, ObjectPath):
        return found
    scan = tuple((name, shown(value)) for name, value in scan_facts(path))
    return replace(found, facts=(*found.facts[:-1], *scan, found.facts[-1]))


def _described(path: Path, mpp: float | None, part: str) -> Description:
    """As `describe`, without what the file of a slide states of its scan."""
    if not path.exists():
        raise NoInputError(f"{path} does not exist.{meant(path)}", "E_MISSING")
    if (path / "run.json").exists() or (path / "stains.json").exists():
        return _runs(path)
    if (path / "zarr.json").exists() and ATTRIBUTES_KEY in attributes_of(path):
        return _store(path)
    if path.is_dir() and not any((path / name).exists() for name in (".zattrs", ".zgroup", "zarr.json")):
        if volume := _volume(path):
            return volume
        if runs_below(Folder(path)):  # says so, and names them
            return _runs(path)
        return _several(path, mpp)
    if path.suffix.lower() in ANY_INPUT.lists:
        return _several(path, mpp)
    try:
        slide = probe(path, mpp, part)
    except SlideError as error:
        problem = Description((("path", str(path)),), problems=((error.code, error.message),))
        return _volume(path) or problem
    spacing = "not stated" if slide.spacing is None else f"{_by(slide.spacing[::-1])} um (x, y)"
    source = "the list or --mpp" if slide.spacing_source == FROM_USER else slide.spacing_source
    size = path.stat().st_size if path.is_file() else bytes_below(path)
    pixels = slide.shapes[0][0] * slide.shapes[0][1]
    facts = (
        ("name", slide.name),
        ("reader", f"{slide.reader}: {slide.why}"),
        ("pixels", f"{slide.shapes[0][1]} x {slide.shapes[0][0]}, {slide.channels} channels of {slide.dtype}"),
        ("spacing", f"{spacing}{f', from {source}' if source else ''}"),
        ("file", f"{_millions(size)} MB for {_millions(pixels)} MPix"),
    )
    levels = tuple(
        f"{i}: {shape[1]} x {shape[0]}, {f'{factor[0]:g} times coarser' if i else 'the finest'}"
        for i, (shape, factor) in enumerate(zip(slide.shapes, slide.factors, strict=True))
    )
    problems, notes = [*slide.problems], [*slide.notes]
    if slide.cut:
        try:
            check_cut(slide.name, slide.cut, _level_read(slide), SlideSettings().unreadable_limit)
            notes += cut_notes(slide.cut)
        except SlideError as error:
            problems.append((error.code, error.message))
    return Description(facts, levels, (), tuple(notes), tuple(problems))


def _level_read(slide: Probe) -> int:
    """The level that a run reads by default; the finest one of a slide without a spacing."""
    if slide.spacing is None or slide.problems:
        return 0
    spacing = slide.spacing
    return level_read(
        tuple(
            Frame(("y", "x"), shape, (spacing[0] * y, spacing[1] * x))
            for shape, (y, x) in zip(slide.shapes, slide.factors, strict=True)
        )
    )


def _several(path: Path, mpp: float | None) -> Description:
    """The images in a folder or a list, a line for each."""
    entries = find(path, ANY_INPUT).entries
    lines, problems = list[str](), list[tuple[str, str]]()
    for entry in entries[:MAX_IMAGES]:
        try:
            one = _described(entry.path, entry.mpp or mpp, entry.part)
        except TileEngineError as error:  # as a run rejects a row by its name, and goes on
            one = Description((), problems=((error.code, error.message),))
        facts = dict(one.facts)
        texts = [facts[name] for name in ("pixels", "voxels", "array", "spacing") if name in facts]
        texts += [f"read by {facts['reader'].partition(':')[0]}"] if "reader" in facts else []
        lines.append(f"{entry.name}: " + "; ".join(texts or ["cannot be used"]))
        problems += [(code, text if entry.name in text else f"{entry.name}: {text}") for code, text in one.problems]
    more = len(entries) - len(lines)
    where = [("folder" if path.is_dir() else "list", str(path)), ("images", str(len(entries)))]
    notes = (f"{more} more are there; they were not opened.",) if more else ()
    return Description(tuple(where), (), tuple(lines), notes, tuple(problems))


def _volume(path: Path) -> Description | None:
    """The description of a volume; None where the file is not a volume."""
    from ...stores.volumes.input_kind import VOLUME_SUFFIXES
    from ...stores.volumes.reader import open_volume

    try:
        with open_volume(path) as volume:
            frames, notes = volume.frames, volume.notes
            if volume.labels:
                notes = (*notes, f"is read as a label map: {volume.labels}")
            size = path.stat().st_size if path.is_file() else bytes_below(path)
            facts = (
                ("name", path.name),
                ("reader", volume.reader),
                ("voxels", f"{_by(frames[0].shape[::-1])} (x, y, z), {volume.channels} channels of {volume.dtype}"),
                ("stored", volume.stored),
                ("spacing", f"{frames[0].spacing_text} (x, y, z)"),
                ("place", _extent(frames[0], volume.placement)),
                ("file", f"{size / 1e6:.1f} MB for {frames[0].box.size / 1e6:.1f} million voxels"),
            )
    except SlideError as error:
        if error.code == "E_NOT_A_VOLUME" and not path.name.lower().endswith(tuple(VOLUME_SUFFIXES)):
            return None
        return Description((("path", str(path)),), problems=((error.code, error.message),))
    levels = tuple(f"{i}: {frame.text}" for i, frame in enumerate(frames))
    return Description(facts, levels, (), notes)


def _extent(frame: Frame, place: Placement) -> str:
    """First and last voxel of a volume in its scanner, in mm."""
    cells = np.array([[0, 0, 0, 1], [*(n - 1 for n in frame.shape), 1]]) @ place.of_cells(frame).T
    ends = (", ".join(f"{v / 1000:.4g}" for v in cell[2::-1]) for cell in cells)
    turned = "" if place.straight else f"; oblique, turned by {turned_by(place.canonical_affine(frame)):.1f} degrees"
    return f"{' to '.join(ends)} mm (Right, Anterior, Superior){turned}"


def _millions(count: int) -> str:
    """A number in millions, of small ones the first two figures.

    >>> _millions(795_123), _millions(1_234_567_890), _millions(4_321)
    ('0.8', '1234.6', '0.0043')
    """
    return f"{count / 1e6:.1f}" if count >= 100_000 else f"{count / 1e6:.2g}"


def _by(lengths: Iterable[float]) -> str:
    return " x ".join(f"{length:g}" for length in lengths)


def _runs(path: Path) -> Description:
    """The run in a folder, or the run of each stain. Raises SettingsError (E_NO_RUN) where runs lie in folders of it only."""
    facts: list[tuple[str, str]] = []
    for progress in statuses(path):
        count = sum(step.state == "complete" for step in progress.steps)
        steps = f", {count} of {len(progress.steps)} steps complete" if progress.steps else ""
        facts += [
            ("run", progress.out),
            ("state", f"{progress.state}{steps}"),
            ("rejected", str(len(progress.rejected))),
        ]
    return Description(tuple(facts), notes=("`tile-engine status` lists the steps.",))


def _store(path: Path) -> Description:
    attributes = attributes_of(path)
    if attributes[ATTRIBUTES_KEY].get("status") != "complete":
        return Description(
            (("store", str(path)),),
            problems=(("E_UNFINISHED", "the store is not finished: run the same command again."),),
        )
    image = StoredImage.open(path)
    spec = image.levels[0].spec
    size, axes = bytes_below(path), ", ".join(image.frames[0].axes[::-1])
    facts: tuple[tuple[str, str], ...] = (
        ("store", f"{path.name}, OME-Zarr {attributes['ome']['version']} by tile-engine"),
        ("array", f"{_by(image.frames[0].shape[::-1])} ({axes}), {image.channels} channels of {spec.dtype}"),
        ("spacing", f"{image.frames[0].spacing_text} ({axes})"),
        ("codec", f"{spec.codec.name}, chunks {spec.chunk}, shards {spec.shard} ({', '.join(spec.names)})"),
        ("pixels", str(attributes[ATTRIBUTES_KEY].get("pixels", "all"))),
        ("labels", ", ".join(labels_listed(path)) or "none"),
        ("disk", f"{size / 1e6:.1f} MB"),
    )
    if len(image.frames[0].shape) == 3:
        facts = (*facts[:3], ("place", _extent(image.frames[0], image.placement)), *facts[3:])
    levels = tuple(f"{i}: {frame.text}" for i, frame in enumerate(image.frames))
    return Description(facts, levels)
