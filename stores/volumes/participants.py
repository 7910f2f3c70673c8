"""Participants: a table with a row a subject, or a session, joined to the subjects of a tree of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..lists.image_list import count, named, read_list
from ..lists.sheet import check_problems
from ..lists.subject_names import match_subjects
from .sessions import session_of

ROLES = frozenset({"subject", "site"})


@dataclass(frozen=True, slots=True)
class Participants:
    """A table of participants, joined to the subjects that have images."""

    rows: dict[tuple[str, str], dict[str, str]]
    """(subject, as the files name it; session where the subject has a row a session, else empty) -> the other columns."""
    without_image: tuple[str, ...]
    """Subjects of the table, as it names them, that no image belongs to."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def read_participants(table: Path, present: Collection[str], suffix: str) -> Participants:
    """The rows of a table of participants for the subjects that are `present` in files with a suffix (T1w).

    Raises SettingsError (E_MANIFEST) that lists all problems: subjects that are missing or appear twice, and a table of which
    fewer than half of the rows, and of the subjects with images, have a counterpart.
    """
    listed = read_list(table, ROLES)
    problems = [*listed.problems, *listed.lacks("subject")]
    check_problems(table, problems if "subject" not in listed.headings else ())
    heading = listed.headings["subject"]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    spelt: dict[str, str] = {}
    repeated: list[str] = []
    counts = Counter(_prefixed(values.get("subject", "")) for _, values in listed.rows)
    for line, values in listed.rows:
        subject = values.get("subject", "")
        if not subject:
            problems.append(f"line {line}: {heading} is empty")
            continue
        session = session_of(values) if counts[_prefixed(subject)] > 1 else ""
        row = spelt.setdefault(_prefixed(subject), subject), session
        others = {name: value for name, value in values.items() if name != "subject"}
        if rows.setdefault(row, others) != others:
            problems.append(f"line {line}: {subject!r} appears twice{f' in session {session!r}' if session else ''}")
        elif rows[row] is not others:
            repeated.append(f"line {line}: {subject}")
    subjects = list(spelt.values())
    matches = match_subjects(subjects, present)
    lone_rows = tuple(one for one in subjects if one not in matches)
    lone_subjects = sorted(set(present) - set(matches.values()))
    if not problems and 2 * len(matches) < min(len(subjects), len(present)):
        problems += [
            f"{len(lone_rows)} of {len(subjects)} rows have no {suffix} image: {named(lone_rows)}",
            f"{len(lone_subjects)} of {len(present)} subjects with an image have no row: {named(lone_subjects)}",
        ]
    check_problems(table, problems)
    found = {(matches[one], session): values for (one, session), values in rows.items() if one in matches}
    notes = [*listed.notes, *_respelt(table, matches)]
    warnings = [*_missing(table, suffix, (lone_rows, len(subjects)), (lone_subjects, len(present)))]
    if repeated:
        warnings.append(f"{table.name}: rows that say the same twice are left out: {len(repeated)}: {named(repeated)}")
    return Participants(found, lone_rows, tuple(notes), tuple(warnings))


def _prefixed(subject: str) -> str:
    return subject if subject.startswith("sub-") else f"sub-{subject}"


def _respelt(table: Path, matches: Mapping[str, str]) -> Iterator[str]:
    other = [f"{one} -> {subject}" for one, subject in matches.items() if one != subject]
    if other:
        yield f"{table.name}: found in another spelling: {count(len(other), 'subject')}: {named(other)}"


def _missing(
    table: Path, suffix: str, rows: tuple[Collection[str], int], subjects: tuple[Collection[str], int]
) -> Iterator[str]:
    if rows[0]:
        yield f"{table.name}: {len(rows[0])} of {rows[1]} rows have no {suffix} image: {named(list(rows[0]))}"
    if subjects[0]:
        few = named(list(subjects[0]))
        yield f"{table.name}: {len(subjects[0])} of {subjects[1]} subjects with an image have no row, and no labels: {few}"
