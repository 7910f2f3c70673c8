"""BIDS: trees of `sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz`, and their `participants.tsv`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..slides.cohort import Cohort, SlideEntry, sorted_out
from ..slides.manifest import check_problems, columns_of, rows_of
from ..slides.walk import InputKind, Seen, walk

PARTICIPANTS_TABLE = "participants.tsv"
PARTICIPANT_COLUMN = "participant_id"
_LEFT_OUT = {
    "derivatives": "holds what was derived from the images",
    "sourcedata": "holds what the images were made from",
}
_SUBJECT = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)(?=[/_.]|$)")
_SESSION = re.compile(r"(?:^|[/_])ses-([A-Za-z0-9]+)(?=[/_.]|$)")


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
    columns = columns_of(path)
    return path.parent if PARTICIPANT_COLUMN in columns and "path" not in columns else None


def find_bids(root: Path, table: Path | None, kind: InputKind, suffix: str) -> Cohort:
    """Images of one suffix (T1w, bold ...) of all subjects, with their rows of the table. Raises SettingsError (E_MANIFEST)."""

    def gather(files: Sequence[Path]) -> Iterator[Seen]:
        for one in kind.gather(files):
            image = re.search(rf"_{re.escape(suffix)}\.(nii|nii\.gz|hdr|hdr\.gz)$", one.path.name)
            if one.why or (image and subject_in(one.path.name)):
                yield one
            else:
                yield replace(one, why=f"is no {suffix} image of a subject")

    def closed(name: str, siblings: Collection[str], children: Collection[str]) -> str:
        return _LEFT_OUT.get(name, "") or kind.closed(name, siblings, children)

    cohort = sorted_out(walk(root, replace(kind, gather=gather, closed=closed)), root)
    table = table or (root / PARTICIPANTS_TABLE if (root / PARTICIPANTS_TABLE).is_file() else None)
    rows = _participants(table, kind) if table else {}
    entries = tuple(_joined(entry, rows) for entry in cohort.entries)
    without = sorted(set(rows) - {entry.group for entry in entries})
    absent = tuple((one, f"is a participant without a {suffix} image") for one in without)
    return replace(cohort, entries=entries, ignored=cohort.ignored + absent)


def _joined(entry: SlideEntry, rows: dict[str, dict[str, str]]) -> SlideEntry:
    subject = subject_in(entry.name)
    session = _SESSION.search(entry.name)
    extra = dict(rows.get(subject, {})) | ({"session": session[1]} if session else {})
    return replace(entry, group=subject, site=extra.pop("site", ""), extra=extra)


def _participants(table: Path, kind: InputKind) -> dict[str, dict[str, str]]:
    """Subject -> its other columns; n/a becomes empty."""
    lines, problems = rows_of(table, PARTICIPANT_COLUMN)
    rows: dict[str, dict[str, str]] = {}
    for line, values in lines:
        given = values.pop(PARTICIPANT_COLUMN, "")
        subject = given if given.startswith("sub-") else f"sub-{given}"
        if not given or given == "n/a":
            problems.append(f"line {line}: {PARTICIPANT_COLUMN} is empty")
        elif subject in rows:
            problems.append(f"line {line}: {given!r} appears twice")
        rows[subject] = {name: "" if value == "n/a" else value for name, value in values.items() if name}
    check_problems(table, problems, kind)
    return rows
