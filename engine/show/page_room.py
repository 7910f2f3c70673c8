"""page_room: what a page may hold, so that it stays below 10 MB and can be sent, however many images a run has.

Pictures share what the slider's maps and the thumbnails leave; those that find no room are links. Rows of tables, and links to
pictures, are counted beyond a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .embedded import EmbeddedCopy, embedded_copy
from .page import Cells, ReportPage, Section, Table

MAX_PAGE_BYTES = 10_000_000
"""Bytes of a page, at most."""
MARKUP_BYTES = 1_000
"""Bytes of the elements around an embedded picture, at most."""
MAX_PICTURES = 80
"""Pictures that a page embeds, at most: more would be too small to see anything."""
MAX_LINKS = 500
"""Pictures of a section that are embedded or linked, at most."""
MAX_CELLS, MIN_ROWS = 12_000, 50
"""Cells of a table that a page holds, at most, unless that were fewer rows than `MIN_ROWS`."""
TEXT_PER_BYTE = 4 / 3
"""Characters of a `data:` URL for one byte."""


def embedded_pictures(page: ReportPage, taken: int) -> list[list[EmbeddedCopy | None]]:
    """Of each section the copies of its first figures that the page embeds; None for a figure that is not there or has no room.

    `taken`: bytes of the page without these copies, so of its text, tables and scripts, the slider's maps and the thumbnails.
    Sections with few pictures are served first: the others have more to lose.
    """
    counts = embedded_counts(page.sections)
    copies: list[list[EmbeddedCopy | None]] = [[] for _ in counts]
    left = sum(counts)
    room = max(0.0, (MAX_PAGE_BYTES - taken - MARKUP_BYTES * left) / TEXT_PER_BYTE)
    held = [section.figures[:count] for section, count in zip(page.sections, counts, strict=True)]
    paths = list(dict.fromkeys(image.path for figures in held for image in figures))
    with ThreadPoolExecutor(2) as pool:  # PIL leaves the interpreter to others while it unpacks, scales and packs
        largest = dict(
            zip(paths, pool.map(lambda path: embedded_copy(path) if path.is_file() else None, paths), strict=True)
        )
    for i in sorted(range(len(counts)), key=counts.__getitem__):
        for image in held[i]:
            copy = largest[image.path]
            if copy and len(copy.content) > room / left:
                copy = embedded_copy(image.path, room=room / left, largest=copy)
            left -= 1
            if copy and len(copy.content) > room:
                copy = None
            room -= len(copy.content) if copy else 0
            copies[i].append(copy)
    return copies


def embedded_counts(sections: Sequence[Section]) -> list[int]:
    """Figures of each section that the page embeds: sections with few of them have all, the others equal numbers."""
    counts = [min(len(section.figures), section.embedded) for section in sections]
    most = max(counts, default=0)
    while sum(min(n, most) for n in counts) > MAX_PICTURES and most > 1:
        most -= 1
    return [min(n, most) for n in counts]


def held_rows(table: Table) -> tuple[Cells, ...]:
    """The rows of a table that a page holds."""
    return table.rows[: max(MIN_ROWS, MAX_CELLS // max(1, len(table.columns)))]
