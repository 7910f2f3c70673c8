"""sections: the sections of blocks, found in a list or a folder; each has a block and a stain in its columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ...errors import SettingsError
from ..lists.cells import read_number
from ..remote import to_path
from .cohort import Cohort, SlideEntry, find
from .input_kind import SLIDE_INPUT

BLOCK, STAIN, ORDER, REFERENCE, LANDMARKS = "block", "stain", "order", "reference", "landmarks"
"""Columns of a section."""
SECTION_COLUMNS = (BLOCK, STAIN, ORDER, REFERENCE, LANDMARKS)
SECTION_INPUT = replace(SLIDE_INPUT, word="section", carried=frozenset(SECTION_COLUMNS))
YES = frozenset({"1", "yes", "y", "true", "x", "reference"})
NO = frozenset({"", "0", "no", "n", "false"})


def find_sections(spec: str | Path | Sequence[str | Path]) -> Cohort:
    """The sections of a list with the columns path, block and stain, or of a folder; each entry has block and stain in `extra`.

    In a folder, the sections of a block lie in a sub-folder, or their names are BLOCK_STAIN. Raises NoInputError as
    `find_slides`, and SettingsError (E_SECTIONS) that lists all problems: no block or stain, a stain twice, two references.
    """
    cohort = find(spec, SECTION_INPUT)
    notes: list[str] = []
    entries, problems = list(cohort.entries), list[str]()
    if not any(BLOCK in entry.extra for entry in entries):
        entries, unnamed = _by_names(entries)
        problems += [f"{name}: is neither in a folder of its block nor named BLOCK_STAIN" for name in unnamed]
        notes.append(_reading_of(entries))
    entries, beside = _with_landmarks(entries, problems)
    if beside:
        notes.append(f"landmarks are read from the CSV beside its picture, of {beside} sections")
    problems += _problems(entries)
    if problems:
        lines = "".join(f"\n  - {one}" for one in problems)
        raise SettingsError(f"the sections cannot be told apart:{lines}", "E_SECTIONS")
    taken = {str(entry.extra.get(LANDMARKS)) for entry in entries}
    ignored = tuple(one for one in cohort.ignored if str(cohort.root / one[0]) not in taken)
    return replace(cohort, entries=tuple(entries), ignored=ignored, notes=(*cohort.notes, *notes))


def is_reference(entry: SlideEntry) -> bool:
    return entry.extra.get(REFERENCE, "").casefold() in YES


def order_of(entry: SlideEntry) -> float | None:
    """Its position in the block; None where the list states none."""
    text = entry.extra.get(ORDER, "")
    return read_number(text) if text else None


def _by_names(entries: Iterable[SlideEntry]) -> tuple[list[SlideEntry], list[str]]:
    """The entries with block and stain by their folders and names, and the names that tell neither."""
    groups: dict[str, list[SlideEntry]] = defaultdict(list)
    for entry in entries:
        groups[PurePosixPath(entry.name).parent.as_posix()].append(entry)
    named, unnamed = list[SlideEntry](), list[str]()
    for folder, members in groups.items():
        stems = [_stem(entry.name) for entry in members]
        heads = {stem.rpartition("_")[0] for stem in stems}
        for entry, stem in zip(members, stems, strict=True):
            head, _, tail = stem.rpartition("_")
            if folder != ".":
                block, stain = folder, tail if len(heads) == 1 else stem
            else:
                block, stain = head, tail
            if block and stain:
                named.append(replace(entry, extra={**entry.extra, BLOCK: block, STAIN: stain}))
            else:
                unnamed.append(entry.name)
    return named, unnamed


def _stem(name: str) -> str:
    stem = PurePosixPath(name).name
    for suffix in sorted(SECTION_INPUT.suffixes | {".zarr", ".ome"}, key=len, reverse=True):
        if stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)]
    return stem


def _reading_of(entries: Sequence[SlideEntry]) -> str:
    blocks = {entry.extra[BLOCK] for entry in entries}
    stains = sorted({entry.extra[STAIN] for entry in entries})
    nested = any("/" in entry.name for entry in entries)
    how = "a block is a sub-folder" if nested else "file names are read as BLOCK_STAIN"
    return f"{how}: {len(blocks)} blocks of {len(entries)} sections, stains {', '.join(stains)}"


def _with_landmarks(entries: Iterable[SlideEntry], problems: list[str]) -> tuple[list[SlideEntry], int]:
    """The entries with absolute paths of their landmarks, and of how many these were found beside the picture."""
    found, beside = [], 0
    for entry in entries:
        stated = entry.extra.get(LANDMARKS, "")
        path = to_path(stated) if stated else entry.path.with_suffix(".csv")
        if stated and not path.is_absolute():
            path = _below(entry, path)
        there = path.is_file()
        if stated and not there:
            problems.append(f"{entry.name}: its landmarks {stated} do not exist (looked for {path})")
        beside += there and not stated
        extra = {name: value for name, value in entry.extra.items() if name != LANDMARKS}
        found.append(replace(entry, extra={**extra, **({LANDMARKS: str(path.absolute())} if there else {})}))
    return found, beside


def _below(entry: SlideEntry, path: Path) -> Path:
    """A relative path: from the folder of the list, which the entry's name is relative to, else from the picture's folder."""
    depth = len(PurePosixPath(entry.name).parts)
    roots = list(entry.path.absolute().parents)
    first = roots[depth - 1] / path if depth <= len(roots) else path
    return first if first.is_file() else entry.path.absolute().parent / path


def _problems(entries: Sequence[SlideEntry]) -> Iterator[str]:
    for entry in entries:
        missing = [name for name in (BLOCK, STAIN) if not entry.extra.get(name)]
        if missing:
            yield f"{entry.name}: has no {' and no '.join(missing)}"
        order = order_of(entry)
        if order is not None and order != order:
            yield f"{entry.name}: its order {entry.extra[ORDER]!r} is no number"
        if entry.extra.get(REFERENCE, "").casefold() not in YES | NO:
            yield f"{entry.name}: reference {entry.extra[REFERENCE]!r} is neither yes nor no"
    twice = Counter((entry.extra.get(BLOCK), entry.extra.get(STAIN)) for entry in entries)
    for (block, stain), n in twice.items():
        if block and stain and n > 1:
            yield f"block {block}: {n} sections of the stain {stain}; give each a name of its own, such as {stain}-1"
    references = Counter(entry.extra.get(BLOCK) for entry in entries if is_reference(entry))
    for one, n in references.items():
        if n > 1:
            yield f"block {one}: {n} sections are its reference, and it has one"
