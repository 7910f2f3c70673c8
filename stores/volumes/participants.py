"""Participants: a table with a row a subject, or a session, joined to the subjects of a tree of images."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..lists.image_list import count, named, read_list
from ..lists.sheet import check_problems
from ..lists.spellings import says_same
from ..lists.subject_names import match_subjects
from .sessions import SESSION_COLUMNS, session_of, sessions_matched

ROLES = frozenset({"subject", "site"})


@dataclass(frozen=True, slots=True)
class Participants:
    """A table of participants, joined to the subjects that have images."""

    rows: dict[tuple[str, str], dict[str, str]]
    """(subject, session), as the files name them; session is empty for a row of all sessions -> the other columns."""
    without_image: tuple[str, ...]
    """Subjects and sessions (`sub-02_ses-03`) of the table that no image belongs to."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def row_of(self, subject: str, session: str) -> dict[str, str]:
        """The row of an image's subject and session; empty where there is none."""
        return dict(self.rows.get((subject, session), self.rows.get((subject, ""), {})))


def read_participants(table: Path, present: Collection[tuple[str, str]], suffix: str) -> Participants:
    """The rows of a table of participants for the (subject, session) that are `present` in files with a suffix (T1w).

    A row that states a session is that session's alone. Raises SettingsError (E_MANIFEST) that lists all problems: subjects
    that are missing or appear twice, and a table of which fewer than half of the rows, and of the images, have a counterpart.
    """
    listed = read_list(table, ROLES)
    problems = [*listed.problems, *listed.lacks("subject")]
    check_problems(table, problems if "subject" not in listed.headings else ())
    heading = listed.headings["subject"]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    spelt: dict[str, str] = {}
    repeated: list[str] = []
    for line, values in listed.rows:
        subject = values.get("subject", "")
        if not subject:
            problems.append(f"line {line}: {heading} is empty")
            continue
        session = session_of(values)
        row = spelt.setdefault(_prefixed(subject), subject), session
        others = {name: value for name, value in values.items() if name != "subject"}
        first = rows.setdefault(row, others)
        if any(
            not says_same(name, first[name], value) for name, value in others.items() if name not in SESSION_COLUMNS
        ):
            problems.append(f"line {line}: {subject!r} appears twice{f' in session {session!r}' if session else ''}")
        elif first is not others:
            repeated.append(f"line {line}: {subject}")
    check_problems(table, problems)
    images = list(dict.fromkeys(present))
    subjects = match_subjects(list(spelt.values()), {subject for subject, _ in images})
    places = _places(list(rows), images, subjects)
    found = {place: rows[row] for row, place in places.items()}
    unlisted = [
        (subject, session) for subject, session in images if not {(subject, session), (subject, "")} & found.keys()
    ]
    lone = [_name(*row) for row in rows if row not in places]
    warnings = [*_missing(table, suffix, (lone, len(rows)), (unlisted, images), set(subjects.values()))]
    if 2 * len(places) < len(rows) and 2 * (len(images) - len(unlisted)) < len(images):
        problems += warnings
    check_problems(table, (text.removeprefix(f"{table.name}: ") for text in problems))
    if repeated:
        warnings.append(f"{table.name}: rows that say the same twice are left out: {len(repeated)}: {named(repeated)}")
    notes = [*listed.notes, *_respelt(table, subjects, places)]
    return Participants(found, tuple(lone), tuple(notes), tuple(warnings))


def _places(
    rows: Sequence[tuple[str, str]], images: Sequence[tuple[str, str]], subjects: Mapping[str, str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """(subject, session) of a row -> as the files name them, of rows that have an image."""
    listed: dict[str, list[str]] = {}
    present: dict[str, list[str]] = {}
    for sessions, pairs in ((listed, rows), (present, images)):
        for subject, session in pairs:
            sessions.setdefault(subject, []).append(session)
    matched = {one: sessions_matched(listed[one], present[subject]) for one, subject in subjects.items()}
    return {
        (one, session): (subjects[one], matched[one][session])
        for one, session in rows
        if session in matched.get(one, {})
    }


def _prefixed(subject: str) -> str:
    return subject if subject.startswith("sub-") else f"sub-{subject}"


def _name(subject: str, session: str) -> str:
    return f"{subject}_ses-{session}" if session else subject


def _respelt(
    table: Path, subjects: Mapping[str, str], places: Mapping[tuple[str, str], tuple[str, str]]
) -> Iterator[str]:
    other = [f"{one} -> {subject}" for one, subject in subjects.items() if one != subject]
    if other:
        yield f"{table.name}: found in another spelling: {count(len(other), 'subject')}: {named(other)}"
    sessions = dict.fromkeys(f"{row[1]} -> {place[1]}" for row, place in places.items() if place[1] not in ("", row[1]))
    if sessions:
        yield f"{table.name}: found in another spelling: {count(len(sessions), 'session')}: {named(list(sessions))}"


def _missing(
    table: Path,
    suffix: str,
    rows: tuple[Sequence[str], int],
    images: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]],
    listed: Collection[str],
) -> Iterator[str]:
    """What has no counterpart: (rows without an image, of how many), (images without a row, of these).

    `listed`: subjects with an image that have a row, be it of another session.
    """
    lone_rows, total = rows
    unlisted, present = images
    if lone_rows:
        yield f"{table.name}: {len(lone_rows)} of {total} rows have no {suffix} image: {named(lone_rows)}"
    subjects = {subject for subject, _ in present}
    if lone := sorted(subjects - set(listed)):
        few = named(lone)
        yield f"{table.name}: {len(lone)} of {len(subjects)} subjects with an image have no row, and no labels: {few}"
    if sessions := [_name(*one) for one in unlisted if one[0] in listed]:
        which = f"{len(sessions)} of {len(present)} images are of sessions without a row"
        yield f"{table.name}: {which}, and have no labels: {named(sessions)}"
