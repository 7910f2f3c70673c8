"""Cohort: which slides a run is about. Finds them in a folder, a glob, a file or a CSV, and names each one for good."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import NoInputError, SlideError
from ..remote import ObjectPath, place, real
from .companions import companions, owner_of_folder
from .head import head_of, kind_of
from .manifest import read_manifest
from .shelf import SUFFIXES, below, fitting
from .zarr_reader import accepts as is_zarr
from .zarr_reader import holds_image

_PICTURES = frozenset({"TIFF", "PNG", "JPEG", "JPEG 2000", "WebP", "BMP", "DICOM", "Zeiss CZI"})
_ENDS = 65536
_LISTED = 12


@dataclass(frozen=True, slots=True)
class SlideEntry:
    """One slide of a cohort."""

    id: str
    """Readable stem and hash of the name: unique, stable, safe as a file name everywhere."""
    path: Path
    name: str
    """Path relative to the cohort's root, with forward slashes; the file's own name where it lies outside of it."""
    mpp: float | None = None
    """Micrometres a pixel from the CSV; goes before everything else."""
    group: str = ""
    site: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    """Further columns of the CSV, carried along."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """What was found."""

    entries: tuple[SlideEntry, ...]
    """Slides, sorted by name; in the CSV's own order where there is one."""
    ignored: tuple[tuple[str, str], ...]
    """(name, reason) of everything that was seen and is no slide."""
    root: Path
    """Folder that the names are relative to."""


def find_slides(spec: str | Path | Sequence[str | Path]) -> Cohort:
    """The slides that a folder (with its subfolders), a glob, a file, a CSV, or a list of these stand for.

    Raises NoInputError where there are none, saying what was seen, and SettingsError for a CSV that cannot be right.
    """
    specs = [spec] if isinstance(spec, str | Path) else list(spec)
    if len(specs) == 1:
        cohort = _find(specs[0])
    else:
        parts = [_find(one) for one in specs]
        roots = [part.root.absolute() for part in parts]
        root = _common(roots)
        entries = {real(e.path): replace(e, name=_relative(e.path, root)) for p in parts for e in p.entries}
        cohort = Cohort(tuple(entries.values()), tuple(item for part in parts for item in part.ignored), root)
    if not cohort.entries:
        raise _nothing(", ".join(map(str, specs)), cohort)
    return replace(cohort, entries=_named(cohort.entries, cohort.root))


def _find(spec: str | Path) -> Cohort:
    path = place(spec)
    if isinstance(path, ObjectPath) and glob.has_magic(path.key) and not path.exists():
        return _shelved(path, *fitting(path))
    if path.is_dir():
        if (path / "run.json").exists():
            return Cohort((), ((path.name, "was written by tile-engine"),), path.parent)
        if is_zarr(path, b""):
            return Cohort((_entry(path, path.parent),) if holds_image(path) else (), (), path.parent)
        return _shelved(path, *below(path)) if isinstance(path, ObjectPath) else _walked(path)
    if path.exists():
        return _listed(path) if path.suffix.lower() == ".csv" else Cohort((_entry(path, path.parent),), (), path.parent)
    if glob.has_magic(str(path)):
        return _globbed(str(path))
    near = path.parent
    seen = (
        tuple((name, "is beside it") for name in sorted(child.name for child in near.iterdir()))
        if near.is_dir()
        else ()
    )
    raise _nothing(str(spec), Cohort((), seen, near), "does not exist")


def _common(roots: Sequence[Path]) -> Path:
    """The folder that all of these lie in, if they lie in one place at all."""
    try:
        return place(os.path.commonpath([str(root) for root in roots]))
    except ValueError:
        return Path()


def _shelved(root: ObjectPath, found: Sequence[Path], ignored: Sequence[tuple[str, str]]) -> Cohort:
    fixed = next((p for p in reversed((root, *root.parents)) if glob.has_magic(p.name)), None)
    root = fixed.parent if fixed else root
    entries = sorted((_entry(path, root) for path in found), key=lambda entry: entry.name)
    return Cohort(tuple(entries), tuple(sorted((_relative(root / name, root), why) for name, why in ignored)), root)


def _walked(root: Path) -> Cohort:
    ignored: list[tuple[str, str]] = []
    found = list(_walk(root, root, ignored, {os.path.realpath(root)}))
    unique: dict[str, Path] = {}
    for path in sorted(found, key=lambda p: (p.is_symlink(), _relative(p, root))):
        other = unique.setdefault(os.path.realpath(path), path)
        if other is not path:
            ignored.append((_relative(path, root), f"is a link to {_relative(other, root)}, which is listed itself"))
    entries = [_entry(path, root) for path in unique.values()]
    return Cohort(tuple(sorted(entries, key=lambda e: e.name)), tuple(sorted(ignored)), root)


def _walk(folder: Path, root: Path, ignored: list[tuple[str, str]], seen: set[str]) -> Iterator[Path]:
    """Slides in a folder and below; what is none goes to `ignored` with the reason."""
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        ignored.append((_relative(folder, root), f"cannot be listed ({error.strerror})"))
        return
    files = []
    for child in children:
        name = _relative(child, root)
        try:
            reason = _no_slide(child, root)
            mode = 0 if reason else child.stat().st_mode
        except OSError as error:
            reason, mode = f"cannot be looked at ({error.strerror})", 0
        if reason:
            ignored.append((name, reason))
        elif stat.S_ISDIR(mode):
            real = os.path.realpath(child)
            why = "is a link in a circle, or a second way to the same folder" if real in seen else _closed(child)
            seen.add(real)
            if why:
                ignored.append((name, why))
            elif is_zarr(child, b""):
                yield child
            else:
                yield from _walk(child, root, ignored, seen)
        else:
            files.append(child)
    owned = companions(files)
    for file in files:
        reason = f"is part of {owned[file.name]}" if file.name in owned else _plainly_none(file)
        if reason:
            ignored.append((_relative(file, root), reason))
        else:
            yield file


def _no_slide(path: Path, root: Path) -> str:
    """Why a directory entry is not even looked into; empty if it is."""
    if path.name.startswith("."):
        return "is hidden"
    if path.is_symlink():
        if not path.exists():
            return "is a link to nothing"
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            return "is a link that leads out of the folder"
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is neither a file nor a folder"
    return "" if os.access(path, os.R_OK) else "may not be read (permissions)"


def _closed(folder: Path) -> str:
    """Why a folder is not walked into; empty if it is."""
    if (folder / "run.json").exists():
        return "was written by tile-engine"
    owner = owner_of_folder(folder)
    if owner:
        return f"is part of {owner}"
    if is_zarr(folder, b"") or folder.suffix.lower() == ".zarr":
        return "" if holds_image(folder) else "is a zarr folder without an image (no multiscales)"
    return ""


def _plainly_none(file: Path) -> str:
    """Why a file is no slide; empty for slides and for what is named like one."""
    if file.suffix.lower() in SUFFIXES:
        return ""
    if file.name.upper() == "DICOMDIR":
        return "is an index of DICOM files"
    try:
        kind = kind_of(head_of(file))
    except SlideError as error:
        return "is empty" if error.code == "E_EMPTY" else "cannot be read"
    return "" if kind in _PICTURES else f"is no slide but {kind}"


def _globbed(pattern: str) -> Cohort:
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed]) if fixed else Path()
    entries, ignored = [], []
    for path in sorted(root.glob("/".join(parts[fixed:]))):
        if path.name.startswith("."):
            reason = "is hidden"
        elif path.is_dir() and not (is_zarr(path, b"") and holds_image(path)):
            reason = "is a folder"
        elif path.is_dir():
            reason = ""
        else:
            reason = "is neither a file nor a folder" if not path.is_file() else _plainly_none(path)
        if reason:
            ignored.append((_relative(path, root), reason))
        else:
            entries.append(path)
    by_folder = {
        folder: companions([p for p in entries if p.parent == folder]) for folder in {p.parent for p in entries}
    }
    kept = []
    for path in entries:
        owner = by_folder[path.parent].get(path.name)
        if owner:
            ignored.append((_relative(path, root), f"is part of {owner}"))
        else:
            kept.append(_entry(path, root))
    return Cohort(tuple(kept), tuple(ignored), root)


def _listed(path: Path) -> Cohort:
    root = path.parent
    entries = [
        replace(_entry(row.path, root), mpp=row.mpp, site=row.site, group=row.group, extra=row.extra)
        for row in read_manifest(path)
    ]
    return Cohort(tuple(entries), (), root)


def _entry(path: Path, root: Path) -> SlideEntry:
    name = _relative(path, root)
    return SlideEntry("", path, path.name if name.startswith("../") else name)


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(str(path), str(root))).as_posix()


def _named(entries: Sequence[SlideEntry], root: Path) -> tuple[SlideEntry, ...]:
    """The same entries with ids; should two hashes begin alike, longer ones tell them apart."""
    for digits in (8, 16, 64):
        ids = [slide_id(_relative(entry.path, root), digits) for entry in entries]
        if len({one.lower() for one in ids}) == len(ids):
            break
    return tuple(replace(entry, id=one) for entry, one in zip(entries, ids, strict=True))


def slide_id(name: str, digits: int = 8) -> str:
    """Id of a slide from its name: plain letters, at most 40 of them, and a hash.

    >>> slide_id("Zürich/Fall 7.svs")
    'Fall-7-8e776441'
    """
    stem = Path(name).name
    for _ in range(2):
        stem = re.sub(r"(?i)(?<=.)\.(ome|zarr|tif|tiff|" + "|".join(s[1:] for s in sorted(SUFFIXES)) + ")$", "", stem)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", plain)[:40].strip("-._") or "slide"
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:digits]}"


def fingerprint(path: Path) -> str:
    """What tells a slide from a changed one: size, time and a hash of its head and tail; of a folder's metadata files.

    Raises SlideError (E_MISSING, E_UNREADABLE).
    """
    try:
        if path.is_dir():
            names = ("zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata")
            parts = sorted(p for p in (path, *path.iterdir()) if p.is_dir())
            files = [part / name for part in parts for name in names if (part / name).is_file()]
        else:
            files = [path]
        whole = hashlib.sha256()
        for file in files:
            whole.update(_part(file).encode())
        return whole.hexdigest() if path.is_dir() else _part(path)
    except FileNotFoundError as error:
        raise SlideError(f"{path.name}: is gone; it was moved or deleted.", "E_MISSING") from error
    except OSError as error:
        raise SlideError(f"{path.name}: cannot be read ({error.strerror}).", "E_UNREADABLE") from error


def _part(file: Path) -> str:
    if isinstance(file, ObjectPath):
        meta = file.meta()
        return f"{meta['size']}-{meta['e_tag']}"
    status = file.stat()
    ends = hashlib.sha256()
    with file.open("rb") as handle:
        ends.update(handle.read(_ENDS))
        handle.seek(max(status.st_size - _ENDS, 0))
        ends.update(handle.read(_ENDS))
    return f"{status.st_size}-{status.st_mtime_ns}-{ends.hexdigest()}"


def _nothing(spec: str, cohort: Cohort, why: str = "holds no slides") -> NoInputError:
    shown = "".join(f"\n  - {name!r} {reason}" for name, reason in cohort.ignored[:_LISTED])
    more = len(cohort.ignored) - _LISTED
    rest = f"\n  - and {more} more" if more > 0 else ""
    seen = f" There is:{shown}{rest}" if shown else " There is nothing in it."
    return NoInputError(
        f"{spec}: {why}, so there is nothing to work on. Give a folder, a glob, a file or a CSV of slides.{seen}"
    )
