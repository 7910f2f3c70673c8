"""ImageList: a list's rows under the meaning of its headings, and what a reader of the list should be told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cells import AGE, MISSING_WORDS, number_column, value_of
from .delimited import MAX_TITLES
from .headings import CARRIED, count_headings, meanings, names_classes
from .sheet import read_sheet

Row = tuple[int, dict[str, str]]
"""Line of a row, and meaning -> value of its cells; a missing value is empty."""
WORDS = frozenset({
    "path", "subject", "mpp", "part", "site", "label", "group", "split", "session", "stain", "scanner", "mask", "tissue_mask",
})  # fmt: skip
"""Columns that are no measurements, even where their cells are numbers: -9 is a class of theirs. mpp is read on its own."""
WORDS_OF_SECTIONS = frozenset({"block", "stain", "reference", "landmarks"})
"""The same of lists of sections."""
MAX_ROW_LENGTH = 100
SHOWN_HEADINGS = {
    "path": "path, file name, image, slide, volume or scan",
    "subject": "subject, participant_id, patient id or case",
}
"""Usual headings of a column that a list needs, as an error names them."""
MAX_NAMED = 5
"""Cells, rows or files that a message names, at most."""


@dataclass(frozen=True, slots=True)
class ImageList:
    """A list of images or subjects."""

    path: Path
    headings: dict[str, str]
    """Meaning of each column -> its heading; columns without a usual meaning keep their heading as it is."""
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    """What each column was taken for, and what could not be read."""
    first_rows: tuple[tuple[str, ...], ...] = ()
    """The first rows as they stand, to show where no headings are found."""
    guesses: tuple[str, ...] = ()
    """How the file was read, where that had to be guessed."""

    def lacks(self, role: str) -> list[str]:
        """The problem of a list without a column that it needs: what was looked for, and what stands there."""
        if role in self.headings:
            return []
        headings = ", ".join(map(repr, self.headings.values())) or "no columns"
        rows = "; ".join(f"{' | '.join(row)}"[:MAX_ROW_LENGTH] for row in self.first_rows) or "nothing"
        return [
            f"column {role!r} is missing; there are {headings}. Looked for, in the first {MAX_TITLES} rows, was one with a "
            f"heading such as {SHOWN_HEADINGS[role]}. The list begins with: {rows}"
            + "".join(f". {guess[0].upper()}{guess[1:]}" for guess in self.guesses)
        ]


def read_list(path: Path, roles: Collection[str]) -> ImageList:
    """The rows of a list whose columns may have these roles. Raises SettingsError (E_MANIFEST) if it cannot be read."""
    meant = {*roles, *CARRIED}
    key = "path" if "path" in roles else "subject"
    sheet = read_sheet(path, lambda cells: count_headings(cells, (key,), meant))
    meaning = meanings(sheet.names, meant)
    rows = tuple((line, {meaning[n]: value_of(cell) for n, cell in cells.items()}) for line, cells in sheet.rows)
    headings = {role: heading for heading, role in meaning.items()}
    missing = Counter(c for _, cells in sheet.rows for c in cells.values() if c and c.casefold() in MISSING_WORDS)
    notes = [*sheet.notes, _columns_note(headings, roles)]
    if missing:
        words = ", ".join(f"{word!r} {n}" for word, n in missing.most_common(MAX_NAMED))
        notes.append(f"cells that say that there is no value: {words}")
    unnamed = sum(not row.get("subject") for _, row in rows) if {"subject", "path"} <= headings.keys() else 0
    if unnamed:
        notes.append(f"{unnamed} of {len(rows)} rows name no subject: each is a subject of its own")
    notes += _number_notes(headings, [row for _, row in rows], WORDS | (WORDS_OF_SECTIONS & set(roles)))
    notes = [f"{path.name}: {note}" for note in notes]
    return ImageList(path, headings, rows, sheet.problems, tuple(notes), sheet.first_rows, sheet.notes)


def _columns_note(headings: Mapping[str, str], roles: Collection[str]) -> str:
    """What each column was taken for: "path <- File, subject <- Subject ID; kept as they are: age, bmi"."""
    usual = [*sorted(set(roles) & headings.keys(), key=list(headings).index)]
    usual += [role for role, heading in headings.items() if role in CARRIED and heading != role]
    kept = [heading for role, heading in headings.items() if role not in usual]
    used = ", ".join(f"{role} <- {headings[role]}" for role in usual) or "no column is known"
    return used + (f"; kept as they are: {', '.join(kept)}" if kept else "")


def _number_notes(
    headings: Mapping[str, str], rows: Sequence[Mapping[str, str]], words: Collection[str]
) -> Iterator[str]:
    """What was read otherwise than it is written, and what was not read, in columns that hold mostly numbers."""
    for column in headings:
        if column in words or names_classes(column):
            continue
        cells = [row.get(column, "") for row in rows]
        numbers = number_column(cells, column)
        if numbers is None and column == AGE and any(cells):
            texts = named([cell for cell in cells if cell])
            yield f"{headings[column]}: most cells are no ages in numbers, so no figure uses the column: such as {texts}"
        elif numbers is not None and (numbers.converted or numbers.unread or numbers.coded):
            values = dict(zip(cells, numbers.values, strict=True))
            other = "no ages up to 120 years" if column == AGE else "no numbers, or in another unit"
            if any(re.search(r"\d[.,]\d", cell) for cell in numbers.unread):
                other += ", or with another decimal sign than most"
            parts = [
                ("read as numbers", [f"{cell} -> {values[cell]:.12g}" for cell in numbers.converted]),
                (f"{other}, and left out of figures", numbers.unread),
                ("taken for missing, as they lie far from all others, and left out of figures", numbers.coded),
            ]
            said = [f"{what}: {count(len(found), 'cell')}, such as {named(found)}" for what, found in parts if found]
            yield f"{headings[column]}: {'; '.join(said)}"


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "file"), count(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(texts: Sequence[str], limit: int = MAX_NAMED) -> str:
    """The first texts, quoted and each once, and how many more there are.

    >>> named(["a", "b", "a"]), named(["a", "b", "c"], 2)
    ("'a', 'b'", "'a', 'b' and 1 more")
    """
    unique = list(dict.fromkeys(texts))
    more = f" and {len(unique) - limit} more" if len(unique) > limit else ""
    return ", ".join(repr(text if len(text) <= 100 else text[:97] + "...") for text in unique[:limit]) + more
