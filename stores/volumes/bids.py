"""BIDS: trees of `sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz`, and their `participants.tsv`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import NoInputError
from ..lists.headings import CARRIED, count_headings, meanings
from ..lists.sheet import read_sheet
from ..slides.cohort import Cohort, SlideEntry, sorted_out
from ..slides.walk import InputKind, Seen, walk
from .participants import read_participants
from .sessions import session_in

PARTICIPANTS_TABLE = "participants.tsv"
_LEFT_OUT = {
    "derivatives": "holds what was derived from the images",
    "sourcedata": "holds what the images were made from",
}
_SUBJECT = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)(?=[/_.]|$)")

_IMAGE = re.compile(r"_([A-Za-z0-9]+)\.(?:nii|nii\.gz|hdr|hdr\.gz)$")


def subject_in(name: str) -> str:
    """The subject in a path; empty if there is none.

    >>> subject_in("sub-07/anat/sub-07_T1w.nii.gz"), subject_in("brain.nii")
    ('sub-07', '')
    """
    found = _SUBJECT.search(name)
    return found[1] if found else ""


def root_of(path: Path) -> Path | None:
    """The root of a BIDS tree, from its folder or its table of participants; None for any other path."""
    if path.is_dir():
        subjects = [child for child in path.iterdir() if child.name.startswith("sub-") and child.is_dir()]
        if (path / "dataset_description.json").is_file() and subjects:
            return path
        inside = ((child / "anat").is_dir() or any(child.glob("ses-*/anat")) for child in subjects)
        return path if any(inside) else None
    names = read_sheet(path, lambda cells: count_headings(cells, ("path", "subject"), {"site", *CARRIED})).names
    meant = set(meanings(names).values())
    is_table = "subject" in meant and "path" not in meant
    return path.parent if is_table and (path.name == PARTICIPANTS_TABLE or root_of(path.parent)) else None


def find_bids(root: Path, table: Path | None, kind: InputKind, suffix: str) -> Cohort:
    """Images of one suffix (T1w, bold ...) of all subjects, with their rows of the table.

    Raises SettingsError (E_MANIFEST), and NoInputError that names the suffixes there are."""

    suffixes: Counter[str] = Counter()

    def gather(files: Sequence[Path]) -> Iterator[Seen]:
        for one in kind.gather(files):
            if not one.why and subject_in(one.path.name) and (image_name := _IMAGE.search(one.path.name)):
                suffixes[image_name[1]] += 1
            image = re.search(rf"_{re.escape(suffix)}\.(nii|nii\.gz|hdr|hdr\.gz)$", one.path.name)
            if one.why or (image and subject_in(one.path.name)):
                yield one
            else:
                yield replace(one, why=f"is no {suffix} image of a subject")

    def closed(name: str, siblings: Collection[str], children: Collection[str]) -> str:
        return _LEFT_OUT.get(name, "") or kind.closed(name, siblings, children)

    cohort = sorted_out(walk(root, replace(kind, gather=gather, closed=closed)), root)
    if not cohort.entries and suffixes:
        kinds = ", ".join(f"{name} ({count})" for name, count in sorted(suffixes.items()))
        raise NoInputError(
            f"{root}: is a BIDS tree without {suffix} images, so there is nothing to work on. There is: {kinds}. Name one, as "
            f"--suffix {min(suffixes)}."
        )
    table = table or (root / PARTICIPANTS_TABLE if (root / PARTICIPANTS_TABLE).is_file() else None)
    if table is None:
        return replace(cohort, entries=tuple(_joined(entry, {}) for entry in cohort.entries))
    found = [(subject_in(entry.name), session_in(entry.name)) for entry in cohort.entries]
    participants = read_participants(table, found, suffix)
    entries = tuple(_joined(e, participants.row_of(*pair)) for e, pair in zip(cohort.entries, found, strict=True))
    absent = tuple((one, f"is a participant without a {suffix} image") for one in participants.without_image)
    return replace(
        cohort,
        entries=entries,
        ignored=cohort.ignored + absent,
        notes=participants.notes,
        warnings=participants.warnings,
        listed=True,
    )


def _joined(entry: SlideEntry, row: Mapping[str, str]) -> SlideEntry:
    session = session_in(entry.name)
    extra = {**row, **({"session": session} if session else {})}
    return replace(entry, subject=subject_in(entry.name), site=extra.pop("site", ""), extra=extra)
