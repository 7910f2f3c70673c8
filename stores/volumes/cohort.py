"""Cohort of volumes: found like slides, and in BIDS trees, npz stacks and DICOM folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..slides.cohort import Cohort, SlideEntry, find, slide_id
from ..slides.walk import InputKind, Seen
from ..slides.zarr_levels import accepts as is_zarr
from .bids import find_bids, root_of, subject_in
from .freesurfer import freesurfer_subject, named_by_subject
from .input_kind import VOLUME_INPUT
from .nifti_reader import shape_of
from .nrrd_reader import times_of
from .split_series import joined
from .zarr_reader import sizes_of


def find_volumes(
    spec: str | Path | Sequence[str | Path],
    *,
    t: int | None = None,
    channels: tuple[int, ...] | None = None,
    suffix: str = "T1w",
) -> Cohort:
    """The volumes that a folder, a glob, a file, a list, a BIDS tree or its participants.tsv, or several of these name: entries
    as for slides, with their subject and, in `part`, the volume inside a file or folder.

    `t` is the time point of images with four axes, `channels` those to read of stores with several; a BIDS tree gives its
    images with `suffix`. Without a named subject the subject is the BIDS name, or FreeSurfer's folder, else the volume's id.
    Raises NoInputError and SettingsError as for slides.
    """
    kind = VOLUME_INPUT if t is None else _timed(VOLUME_INPUT, t)

    def special(path: Path) -> Cohort | None:
        root = root_of(path)
        return None if root is None else find_bids(root, None if path.is_dir() else path, kind, suffix)

    cohort = find(spec, kind, special)
    found, notes = joined(cohort.entries, cohort.root)
    cohort = replace(cohort, entries=tuple(found), warnings=(*cohort.warnings, *notes))
    entries = tuple(
        replace(one, subject=one.subject or subject_in(one.name) or freesurfer_subject(one.path) or one.id)
        for one in (named_by_subject(_of_store(entry, cohort.root, t, channels or ())) for entry in cohort.entries)
    )
    return replace(cohort, entries=entries)


def _timed(kind: InputKind, t: int) -> InputKind:
    """The same kind of input, with time point `t` of images with several."""

    def chosen(found: Iterator[Seen]) -> Iterator[Seen]:
        for one in found:
            several = not one.why and not one.part and _times(one.path) > 1
            yield replace(one, part=f"t={t}") if several else one

    return replace(kind, gather=lambda files: chosen(kind.gather(files)), expand=lambda path: chosen(kind.expand(path)))


def _of_store(entry: SlideEntry, root: Path, t: int | None, channels: Sequence[int]) -> SlideEntry:
    """The entry of a store with the time point and the channels that were chosen, where it has several."""
    if entry.part or not entry.path.is_dir() or not is_zarr(entry.path, b""):
        return entry
    sizes = sizes_of(entry.path)
    words = [f"t={t}"] if t is not None and sizes.get("t", 1) > 1 else []
    words += ["c=" + "+".join(map(str, channels))] if channels and sizes.get("c", 1) > 1 else []
    if not words:
        return entry
    part = ",".join(words)
    place = Path(os.path.relpath(str(entry.path), str(root))).as_posix()
    return replace(entry, part=part, name=f"{entry.name}/{part}", id=slide_id(place, part=part, kind=VOLUME_INPUT))


def _times(path: Path) -> int:
    if path.is_dir():
        return 1  # stores are chosen from by `_of_store`
    shape = shape_of(path)
    return shape[3] if len(shape) >= 4 and set(shape[4:]) <= {1} else times_of(path)
