"""Cohort: the images of a run, found in a folder, a glob, a file or a list; each gets a stable id."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import NoInputError
from ..likeness import check_quoted, meant, neighbours
from ..remote import ObjectPath, as_list, real, to_path
from .input_kind import SLIDE_INPUT
from .joined_values import with_joined_values
from .manifest import read_manifest
from .merged_entries import merged_entries
from .walk import InputKind, Seen, fitting, globbed, walk
from .zarr_levels import accepts as is_zarr
from .zarr_levels import holds_image

_MAX_LISTED = 12
"""Fingerprint of a file: size, time, hash of both ends; of siblings: sum of sizes, hash of times, hash of sizes."""


@dataclass(frozen=True, slots=True)
class SlideEntry:
    """One slide or volume of a cohort."""

    id: str
    """Readable stem and hash of the name: unique, stable, and a valid file name on every system."""
    path: Path
    name: str
    """Path relative to the cohort's root, with forward slashes; the file name alone if it lies outside."""
    mpp: float | None = None
    """Micrometres a pixel from the list; overrides every other source."""
    subject: str = ""
    site: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    """Further columns of the list, carried along."""
    part: str = ""
    """The image inside the file or folder: a DICOM series, one of several arrays, a time point; empty for the whole."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Images that were found, and the files that are no images."""

    entries: tuple[SlideEntry, ...]
    """Images, sorted by name, or in the order of the list."""
    ignored: tuple[tuple[str, str], ...]
    """(name, reason) of files and folders that are no images."""
    root: Path
    """Folder that the names are relative to."""
    notes: tuple[str, ...] = ()
    """What columns of a list were taken for, and how its cells were read."""
    warnings: tuple[str, ...] = ()
    """Rows of a list that fit no image, and images that fit no row."""
    listed: bool = False
    """Whether columns of a list (subject, site, others) stand in the entries; names of files alone are no columns."""


def find_slides(spec: str | Path | Sequence[str | Path]) -> Cohort:
    """The slides of a folder (with its subfolders), a glob, a file, a list (CSV, TSV, XLSX), or several of these.

    Raises NoInputError, with the files that were seen, if there are none, and SettingsError for an invalid list.
    """
    return find(spec, SLIDE_INPUT)


Finder = Callable[[Path], Cohort | None]
"""Finds the images of a path with a special layout, such as BIDS; None for other paths."""


def find(spec: str | Path | Sequence[str | Path], kind: InputKind, special: Finder = lambda path: None) -> Cohort:
    """`find_slides` for any kind of input."""
    specs = as_list(spec)
    if len(specs) == 1:
        if (to_path(specs[0]) / "run.json").exists():
            raise NoInputError(
                f"{specs[0]} holds the results of a run, written by tile-engine, and is no folder of {kind.word}s. Name the "
                f"{kind.word}s themselves: their folder, a glob, a file or a list. The command that began the run resumes it."
            )
        cohort = _find(specs[0], kind, special)
    else:
        check_quoted(specs)
        parts = [_find(one, kind, special) for one in specs]
        roots = [part.root.absolute() for part in parts]
        root = _common(roots)
        entries, warnings = merged_entries(
            replace(one, name=_relative(one.path, root) + _inside(one.part)) for part in parts for one in part.entries
        )
        cohort = Cohort(
            tuple(entries),
            tuple(item for part in parts for item in part.ignored),
            root,
            notes=tuple(note for part in parts for note in part.notes),
            warnings=(*(warning for part in parts for warning in part.warnings), *warnings),
            listed=any(part.listed for part in parts),
        )
    if not cohort.entries:
        raise _no_input(", ".join(map(str, specs)), cohort, kind)
    listed = cohort.listed or any(entry.extra or entry.site for entry in cohort.entries)
    cohort = with_joined_values(cohort) if cohort.listed else cohort  # names of files and folders stay apart
    return replace(cohort, entries=_named(cohort.entries, cohort.root, kind), listed=listed)


def _find(spec: str | Path, kind: InputKind, special: Finder) -> Cohort:
    path = to_path(spec)
    if isinstance(path, ObjectPath) and glob.has_magic(path.key) and not path.exists():
        magic = next(p for p in reversed((path, *path.parents)) if glob.has_magic(p.name))
        return sorted_out(fitting(path, kind), magic.parent)
    if path.is_dir():
        if (path / "run.json").exists():
            return Cohort((), ((path.name, "was written by tile-engine"),), path.parent)
        if is_zarr(path, b""):
            return Cohort((_entry(Seen(path), path.parent),) if holds_image(path) else (), (), path.parent)
        return special(path) or sorted_out(walk(path, kind), path)
    if path.exists():
        if path.suffix.lower() in kind.lists:
            return special(path) or _listed(path, kind)
        return sorted_out(kind.expand(path), path.parent)
    if glob.has_magic(str(path)):
        parts = path.parts
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        root = Path(*parts[:fixed]) if fixed else Path()
        return sorted_out(globbed(root, "/".join(parts[fixed:]), kind), root)
    raise _missing(spec, path, kind)


def _common(roots: Sequence[Path]) -> Path:
    """The common folder of all roots; an empty path if there is none."""
    try:
        return to_path(os.path.commonpath([str(root) for root in roots]))
    except ValueError:
        return Path()


def sorted_out(found: Iterable[Seen], root: Path) -> Cohort:
    """Cohort of the entries and of the ignored files, sorted by name; several links to one file are one entry."""
    unique: dict[tuple[str, str], Seen] = {}
    ignored = []
    for one in sorted(found, key=lambda s: (s.path.is_symlink(), _relative(s.path, root))):
        name = _relative(one.path, root)
        if one.why:
            ignored.append((name, one.why))
            continue
        other = unique.setdefault((real(one.path), one.part), one)
        if other is not one:
            ignored.append((name, f"is a link to {_relative(other.path, root)}, which is listed itself"))
    entries = [_entry(one, root) for one in unique.values()]
    return Cohort(tuple(sorted(entries, key=_in_order)), tuple(sorted(ignored)), root)


def _in_order(entry: SlideEntry) -> tuple[str, list[tuple[int, str]]]:
    """Sort key: name, then the part with numbers in numeric order."""
    return entry.name.removesuffix(_inside(entry.part)), [
        (len(p) if p.isdigit() else 0, p) for p in entry.part.split("/")
    ]


def _listed(path: Path, kind: InputKind) -> Cohort:
    root, manifest = path.parent, read_manifest(path, kind)
    entries = [
        replace(_entry(one, root), mpp=row.mpp, site=row.site, subject=row.subject, extra={**one.extra, **row.extra})
        for row in manifest.rows
        for one in ([Seen(row.path, part=row.part)] if row.part or not row.exists else kind.expand(row.path))
    ]
    entries = _named_apart(entries, root)
    listed = any(entry.extra or entry.site or entry.subject for entry in entries)
    return Cohort(tuple(entries), (), root, notes=manifest.notes, warnings=manifest.warnings, listed=listed)


def _named_apart(entries: list[SlideEntry], root: Path) -> list[SlideEntry]:
    """The entries, of which no two have one name: files outside the root of which several have one name, or a file inside has
    it too, are named by their paths below a common folder, as is that file; and all are where names are still the same."""
    counts = Counter(entry.name for entry in entries)
    is_outside = [counts[e.name] > 1 and _relative(e.path, root).startswith("../") for e in entries]
    names = {entry.name for entry, outside in zip(entries, is_outside, strict=True) if outside}
    chosen = [entry.name in names for entry in entries]
    named = _below_common(entries, chosen, root)
    after = Counter(entry.name for entry in named)
    if any(after[entry.name] > 1 for entry, changed in zip(named, chosen, strict=True) if changed):
        return _below_common(entries, [True] * len(entries), root)
    return named


def _below_common(entries: list[SlideEntry], chosen: Sequence[bool], root: Path) -> list[SlideEntry]:
    """The entries, of which those chosen are named by their paths below the folder that they, or the root, have in common."""
    parents = {entry.path.parent for entry, one in zip(entries, chosen, strict=True) if one}
    folders = {parent if f"{_relative(parent, root)}/".startswith("../") else root for parent in parents}
    common = _common([_plain(folder) for folder in folders]) if folders else Path()
    if common == Path():
        return entries
    return [
        replace(entry, name=_relative(entry.path, common) + _inside(entry.part)) if one else entry
        for entry, one in zip(entries, chosen, strict=True)
    ]


def _plain(folder: Path) -> Path:
    """The absolute path of a folder, without `..`."""
    return folder.absolute() if isinstance(folder, ObjectPath) else Path(os.path.normpath(folder.absolute()))


def _entry(one: Seen, root: Path) -> SlideEntry:
    name = _relative(one.path, root)
    name = one.path.name if name.startswith("../") or name == "." else name
    return SlideEntry("", one.path, name + _inside(one.part), extra=dict(one.extra), part=one.part)


def _inside(part: str) -> str:
    return f"/{part}" if part else ""


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(str(path), str(root))).as_posix()


def _named(entries: Sequence[SlideEntry], root: Path, kind: InputKind) -> tuple[SlideEntry, ...]:
    """The entries with ids; longer hashes are used if short ones collide."""
    for digits in (8, 16, 64):
        ids = [slide_id(_relative(e.path, root), digits, part=e.part, kind=kind) for e in entries]
        if len({one.lower() for one in ids}) == len(ids):
            break
    return tuple(replace(entry, id=one) for entry, one in zip(entries, ids, strict=True))


def slide_id(name: str, digits: int = 8, *, part: str = "", kind: InputKind = SLIDE_INPUT) -> str:
    """Id of an image from its name and part: at most 40 plain characters and a hash.

    >>> slide_id("Zürich/Fall 7.svs"), slide_id("case.svs", part="t=3")
    ('Fall-7-8e776441', 'case-t-3-8b6bc88c')
    """
    stem = kind.stem(name)
    part = re.sub(r"[^A-Za-z0-9_.]+", "-", part)[:20]
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", plain)[: 40 - len(part)].strip("-._") or kind.word
    whole = f"{name}#{part}" if part else name
    mark = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:digits]
    return "-".join(word for word in (plain, part, mark) if word)


def _missing(spec: str | Path, path: Path, kind: InputKind) -> NoInputError:
    """The error for a path that does not exist: what is in the last folder of it that does, the likest names first."""
    near = list(neighbours(path))
    where = [(one.name, "is beside it" if one.parent == path.parent else f"is in {one.parent}") for one in near]
    cohort = Cohort((), tuple(where), path.parent)
    return _no_input(str(spec), cohort, kind, f"does not exist.{meant(path)}")


def _no_input(spec: str, cohort: Cohort, kind: InputKind, missing: str = "") -> NoInputError:
    """`missing`: the sentences that say that the path does not exist."""
    lines = "".join(f"\n  - {name!r} {reason}" for name, reason in cohort.ignored[:_MAX_LISTED])
    more = len(cohort.ignored) - _MAX_LISTED
    tail = f"\n  - and {more} more" if more > 0 else ""
    empty = "There is nothing beside it." if missing else "There is nothing in it."
    listing = f"There is:{lines}{tail}" if lines else empty
    why = missing or f"holds no {kind.word}s, so there is nothing to work on."
    return NoInputError(f"{spec}: {why} Give a folder, a glob, a file or a list of {kind.word}s. {listing}")
