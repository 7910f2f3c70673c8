"""Query: a search query resolved to an embedding: a case of the run, a new file, or a position on a slide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array
from ...stores.remote import absolute, real, to_path
from ..pipeline.image_documents import read_rejected
from ..steps.normalization import normalizer, target_of
from .encode import encode, encoded
from .gallery import Gallery
from .hits import Case
from .query_stain import query_stain
from .rows import subject_of
from .window import around, open_at_spacing, window

MAX_QUERY_PATCHES = 4
"""Largest side, in patches, of a picture whose central patch is the query; a larger picture needs --at."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A resolved query."""

    case: Case
    vector: Array
    """float32 (features,)."""
    row: int = -1
    """Row in the gallery; -1 if the query is not in it."""
    group: int = -1
    """Group of the query's own subject (or slide) in `Gallery.groups`; -1 if the gallery has none."""
    notes: tuple[str, ...] = ()
    """Warnings for the user."""


def understood(
    gallery: Gallery, query: str | Path, at: tuple[float, ...] | None = None, mpp: float | None = None
) -> Asked:
    """Resolve a query: a case of the gallery by id, name or path; else a file, which the run's network encodes.

    `mpp`: micrometres a pixel of a picture that is not in the run, before those that it states.

    Raises SettingsError (E_QUERY) if the query is neither, or is ambiguous; NoInputError if a file cannot be read.
    """
    text = str(query)
    if gallery.kind == "volumes" and mpp is not None:
        raise SettingsError("--mpp is of pictures, and this run is on whole volumes: leave --mpp out.", "E_QUERY")
    if gallery.kind == "volumes":
        if at is not None:
            raise SettingsError(
                "--at is a position on a slide, and this run is on whole volumes: leave --at out.", "E_QUERY"
            )
        return _volume(gallery, text)
    resolved = _tile(gallery, text, at, mpp)
    if mpp is not None and resolved.case.id:
        raise SettingsError(
            f"--mpp is of a picture that is not in the run, and {text!r} is in it: leave it out.", "E_QUERY"
        )
    return resolved


def _known_rows(gallery: Gallery, text: str, columns: tuple[str, ...]) -> list[int]:
    """Rows whose id, name or path is `text`."""
    for column in columns:
        if rows := gallery.where(column, text):
            return rows
    path = absolute(text)
    return gallery.where("path", str(path)) or gallery.where("path", real(path))


def _own(gallery: Gallery, row: int) -> Asked:
    return Asked(gallery.case(row), gallery.vector(row), row, int(gallery.groups[row]))


def _volume(gallery: Gallery, text: str) -> Asked:
    rows = _known_rows(gallery, text, ("id", "name"))
    if len(rows) > 1:
        some = ", ".join(gallery.case(r).id for r in rows[:5])
        raise SettingsError(
            f"{text!r} matches {len(rows)} cases of the run: give the id of one ({some} ...).", "E_QUERY"
        )
    if rows:
        return _own(gallery, rows[0])
    _exists(gallery, text)
    records, embeddings = encode(gallery.job, [text])
    if len(records) != 1:
        raise SettingsError(
            f"{text!r} matches {len(records)} volumes, and a query is one volume: name one. "
            "`tile-engine search OUT --add` takes many.",
            "E_QUERY",
        )
    record, classes = records[0], gallery.job.settings.class_column
    texts = (record.name, subject_of(record), record.site, record.columns.get(classes, ""))
    case = Case("", *texts, path=record.path, part=record.subimage)
    subject_rows = gallery.where("subject", case.subject) if case.subject else []
    return Asked(case, embeddings[0], group=int(gallery.groups[subject_rows[0]]) if subject_rows else -1)


def _tile(gallery: Gallery, text: str, at: tuple[float, ...] | None, mpp: float | None) -> Asked:
    if at is not None and not all(map(math.isfinite, at)):
        raise SettingsError(f"--at is a position in micrometres; got {','.join(f'{v:g}' for v in at)}.", "E_QUERY")
    slide, *cells = text.split(":")
    if cells and all(c.isdigit() for c in cells) and (rows := gallery.where("slide", slide)):
        named = [r for r in rows if gallery.case(r).id == text] if at is None else []
        if named:
            return _own(gallery, named[0])
    if rows := _known_rows(gallery, text, ("slide", "name")):
        if at is None:
            raise SettingsError(
                f"{text!r} is a slide of the run, and a query is one of its tiles: give the tile's position, in micrometres, "
                "with --at Y,X.",
                "E_QUERY",
            )
        return _own(gallery, _there(gallery, rows, at))
    _exists(gallery, text)
    return _patch(gallery, to_path(text), at, mpp)


def _there(gallery: Gallery, rows: list[int], at: tuple[float, ...]) -> int:
    """The row whose tile centre is nearest to `at` (micrometres). Raises SettingsError if `at` lies outside that tile."""
    cases, _ = gallery.part(rows[0])
    names = [n for n in ("z_um", "y_um", "x_um") if n in cases.numbers]
    _check_numbers(at, names)
    offset = rows[0] - gallery.part(rows[0])[1]
    centres = np.stack([cases.numbers[n][np.array(rows) - offset] for n in names], 1)
    record = gallery.job.slides[cases.text("slide", rows[0] - offset)]
    place = record.placement
    distances = (np.abs(place.to_grid(centres) - place.to_grid(np.array(at))) / record.spacing).max(1)
    index = int(np.argmin(distances))
    if distances[index] > gallery.job.settings.side / 2:
        centre = ",".join(f"{v:.0f}" for v in centres[index])
        raise SettingsError(
            f"no tile with tissue lies at {','.join(f'{v:g}' for v in at)} um; the centre of the nearest tile is {centre}: "
            f"use --at {centre}.",
            "E_QUERY",
        )
    return rows[index]


def _check_numbers(at: tuple[float, ...], names: list[str]) -> None:
    if len(at) != len(names):
        raise SettingsError(f"--at needs {len(names)} numbers ({', '.join(names)}); got {len(at)}.", "E_QUERY")


def _patch(gallery: Gallery, path: Path, at: tuple[float, ...] | None, mpp: float | None) -> Asked:
    """A patch of a file that is not in the run: the patch at `at`, or the central patch of a small picture."""
    job, side = gallery.job, gallery.job.settings.side
    if not job.modality.planar:
        raise SettingsError(
            f"{path.name} is not in the run, and in a run on tiles of volumes only its own tiles can be queries: add the "
            "volume to the run.",
            "E_QUERY",
        )
    if at is not None:
        _check_numbers(at, ["y_um", "x_um"])
    source, is_assumed = open_at_spacing(path, job.spacing, mpp)
    frame = source.frames[0]
    if at is None and max(frame.shape) > MAX_QUERY_PATCHES * side:
        size = " x ".join(map(str, frame.shape))
        raise SettingsError(
            f"{path.name} has {size} pixels at the run's {job.spacing:g} um, and a query is a patch of {side}: give the "
            "patch's position, in micrometres, with --at Y,X.",
            "E_QUERY",
        )
    if min(frame.shape) < side:
        size = " x ".join(map(str, frame.shape))
        raise SettingsError(
            f"{path.name} has {size} pixels at the run's {job.spacing:g} um, and the network needs patches of {side}: use a "
            "larger picture.",
            "E_QUERY",
        )
    kind = next(iter(job.slides.values()))
    if (source.channels, source.dtype) != (kind.channels, kind.dtype):
        raise SettingsError(
            f"{path.name} has {source.channels} channels of {source.dtype}, the run's slides have {kind.channels} of "
            f"{kind.dtype}: the run's network cannot encode it.",
            "E_QUERY",
        )
    middle = tuple(o + n * s / 2 for o, n, s in zip(frame.origin, frame.shape, frame.spacing, strict=True))
    case = Case("", path.name, y_um=(at or middle)[0], x_um=(at or middle)[1], path=str(path.absolute()), mpp=mpp)
    patch, target = window(source, around(source, case.centre, side))[None], target_of(job)
    own, notes = query_stain(job, path, source) if target else (None, ())
    said = []
    if is_assumed:
        said.append(
            f"it states no size of its pixels, and is taken to have the run's {job.spacing:g} um (--mpp states it)"
        )
    if at is None and max(frame.shape) > side:
        height, width = frame.shape
        said.append(f"of its {height} x {width} pixels the middle {side} x {side} are the query (--at moves it)")
    remarks = [f"{path.name}: {'; '.join(said)}"] if said else []
    return Asked(case, encoded(job, normalizer(target, own)(patch, np.zeros((1, 2))))[0], notes=(*remarks, *notes))


def _exists(gallery: Gallery, text: str) -> None:
    if to_path(text).exists():
        return
    if any(text in (record.id, record.name, record.path) for record in gallery.job.slides.values()):
        raise SettingsError(
            f"{text!r} is an image of the run without a case to search with: no tissue was found on it, or its cases "
            "could not be encoded. Query another one.",
            "E_QUERY",
        )
    if lost := [one for one in read_rejected(gallery.job.folder).values() if text in (one.name, one.path)]:
        raise SettingsError(f"{text!r} was rejected by the run [{lost[0].code}]: {lost[0].message}", "E_QUERY")
    raise SettingsError(
        f"{text!r} is neither a case of the run in {gallery.job.folder.out} (by id, name or path) nor a file: there is "
        "no query.",
        "E_QUERY",
    )
