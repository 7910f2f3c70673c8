"""page: contents of a report as values: title, facts, cautions, and sections of text, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .levels import LevelsView
from .palette import Colour
from .spreadsheet import Cell

LOOK_FIRST = "What to look at first"
"""Heading of the cautions."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: str = "text"
    """`text`; `number` (right-aligned, at most four digits); `share` (0 to 1, shown in % on a tint); `code` (monospaced);
    `picture` (a thumbnail, or text where there is none)."""
    colour: Colour | None = None
    """A chip before the name: the cluster's colour."""

    def __post_init__(self) -> None:
        if self.kind not in ("text", "number", "share", "code", "picture"):
            raise ValueError(f"a column is text, number, share, code or picture, got {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture in a cell of a table."""

    source: str
    """PNG or JPEG as a `data:` URL."""
    text: str
    """What it shows, for readers who do not see it."""


def code_spans(text: str) -> list[tuple[str, bool]]:
    """The parts of a text, and whether each is code, as it stands between two backticks; a single backtick stays.

    >>> code_spans("give `--k 3` or 5` more")
    [('give ', False), ('--k 3', True), (' or 5` more', False)]
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    return [(part, i % 2 == 1) for i, part in enumerate(parts)]


Cells = tuple[Cell | Thumbnail, ...]
"""A row of a table."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; every row has one cell a column."""

    columns: tuple[Column, ...]
    rows: tuple[Cells, ...]
    caption: str = ""
    marked: frozenset[int] = frozenset()
    """Highlighted rows, counted from 0."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row has one cell a column: {len(self.columns)} columns, {len(row)} cells in {row}")


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG on disk, shown with its caption and linked to the file itself."""

    path: Path
    caption: str = ""
    detail: str = ""
    """A quieter line under the caption."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file beside the report."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it, in this order: text, links, figures, tables."""

    heading: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    figures: tuple[Image, ...] = ()
    tables: tuple[Table, ...] = ()
    embedded: int = 60
    """Figures that the page carries in itself, at most, where it has the room; those after them are linked."""
    folded: bool = False
    """Closed until the reader opens it: settings, versions."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning for the reader."""

    headline: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A whole report. The sections stand in the order given: maps come first."""

    title: str
    subtitle: str = ""
    """The answer, in one or two sentences."""
    facts: tuple[tuple[str, str], ...] = ()
    """About six (name, value) pairs at the top of the page."""
    cautions: tuple[Caution, ...] = ()
    """What to look at first, directly under the answer."""
    sections: tuple[Section, ...] = ()
    footer: str = ""
    levels: LevelsView | None = None
    """All levels of a tree of clusters, after the first section, with a slider."""
    names: tuple[str, ...] = ()
    """Names of the run's images: where one is a heading or a cell, a long one is shortened, with the whole as its title."""
