"""Walk: the contents of a folder, a prefix or a glob, each file an input or with a reason why not.

An `InputKind` decides what an input is, so that slides and volumes are found in the same way.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ..remote import ObjectPath
from .zarr_levels import METADATA_FILES, holds_image
from .zarr_levels import accepts as is_zarr


@dataclass(frozen=True, slots=True)
class Seen:
    """A file or folder that was seen: an input, or the reason why it is none."""

    path: Path
    why: str = ""
    """Why it is no input; empty if it is one."""
    part: str = ""
    """The image inside the file or folder; empty for the whole."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Columns that are known of it."""


@dataclass(frozen=True, slots=True)
class InputKind:
    """A kind of input, slides or volumes, and how its files are recognised."""

    word: str
    """Noun for one input, such as "slide"."""
    suffixes: frozenset[str]
    """Suffixes of its files, with the dot; they are not part of an id."""
    gather: Callable[[Sequence[Path]], Iterator[Seen]]
    """Files of one folder -> inputs; several files may form one."""
    expand: Callable[[Path], Iterator[Seen]]
    """A path that the user named -> its inputs."""
    closed: Callable[[str, Collection[str], Collection[str]], str]
    """(name of a folder, names beside it, names in it) -> why it is not searched; empty if it is."""
    lists: frozenset[str]
    """Suffixes of files that list inputs."""
    roles: frozenset[str]
    """Meanings that columns of such a list may have, among those of `stores.lists.headings.ROLES`."""
    carried: frozenset[str] = frozenset()
    """Further meanings, whose values are kept with the image as other columns are."""

    def stem(self, name: str) -> str:
        """The last part of a name, without up to two suffixes of images: TCGA-A1-DX1.0F2C of A/TCGA-A1-DX1.0F2C.svs."""
        stem = Path(name).name
        for _ in range(2):
            stem = re.sub(
                r"(?i)(?<=.)\.(ome|zarr|tif|tiff|" + "|".join(s[1:] for s in sorted(self.suffixes)) + ")$", "", stem
            )
        return stem


def walk(root: Path, kind: InputKind) -> Iterator[Seen]:
    """Everything in a folder and its subfolders."""
    if isinstance(root, ObjectPath):
        yield from _shelf(root.children(), kind)
    else:
        yield from _folder(root, root, kind, {os.path.realpath(root)})


def fitting(pattern: ObjectPath, kind: InputKind) -> Iterator[Seen]:
    """Everything whose path matches a glob; ** matches any number of folders."""
    fixed = next(p for p in reversed((pattern, *pattern.parents)) if glob.has_magic(p.name)).parent
    parts = pattern.relative_to(fixed).parts
    return (one for one in walk(fixed, kind) if _fits(one.path.relative_to(fixed).parts, parts))


def globbed(root: Path, pattern: str, kind: InputKind) -> Iterator[Seen]:
    """Everything below a folder that matches a glob; a folder that matches is not searched."""
    files: dict[Path, list[Path]] = {}
    for path in sorted(root.glob(pattern)):
        if path.name.startswith("."):
            yield Seen(path, "is hidden")
        elif path.is_dir():
            yield Seen(path, "" if is_zarr(path, b"") and holds_image(path) else "is a folder")
        elif not path.is_file():
            yield Seen(path, "is neither a file nor a folder")
        else:
            files.setdefault(path.parent, []).append(path)
    for siblings in files.values():
        yield from kind.gather(siblings)


def _folder(folder: Path, root: Path, kind: InputKind, real_paths: set[str]) -> Iterator[Seen]:
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        yield Seen(folder, f"cannot be listed ({error.strerror})")
        return
    files = []
    for child in children:
        try:
            reason = _unlooked(child, root)
            mode = 0 if reason else child.stat().st_mode
        except OSError as error:
            reason, mode = f"cannot be inspected ({error.strerror})", 0
        if reason:
            yield Seen(child, reason)
        elif not stat.S_ISDIR(mode):
            files.append(child)
        elif (real_path := os.path.realpath(child)) in real_paths:
            yield Seen(child, "is a link to a folder that is searched already")
        else:
            real_paths.add(real_path)
            if why := _shut(child, {one.name for one in children}, kind):
                yield Seen(child, why)
            elif is_zarr(child, b""):
                yield Seen(child)
            else:
                yield from _folder(child, root, kind, real_paths)
    yield from kind.gather(files)


def _unlooked(path: Path, root: Path) -> str:
    """Why a directory entry is skipped; empty if it is not."""
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


def _shut(folder: Path, siblings: Collection[str], kind: InputKind) -> str:
    if (folder / "run.json").exists():
        return "was written by tile-engine"
    try:
        children = {child.name for child in folder.iterdir()}
    except OSError:
        return ""  # reported when it is searched
    if why := kind.closed(folder.name, siblings, children):
        return why
    return _no_image(folder) if is_zarr(folder, b"") or folder.suffix.lower() == ".zarr" else ""


def _no_image(folder: Path) -> str:
    return "" if holds_image(folder) else "is a zarr folder without an image (no multiscales)"


def _shelf(listing: tuple[list[ObjectPath], list[ObjectPath]], kind: InputKind) -> Iterator[Seen]:
    """`_folder` for a prefix of an object store, where each look costs a request."""
    folders, files = listing
    names = {file.name for file in files}
    for child in folders:
        child_listing = child.children()
        child_names = {file.name for file in child_listing[1]}
        if child.name.startswith("."):
            yield Seen(child, "is hidden")
        elif "run.json" in child_names:
            yield Seen(child, "was written by tile-engine")
        elif why := kind.closed(child.name, names, child_names):
            yield Seen(child, why)
        elif child_names & METADATA_FILES or child.suffix.lower() == ".zarr":
            yield Seen(child, _no_image(child))
        else:
            yield from _shelf(child_listing, kind)
    yield from (Seen(file, "is hidden") for file in files if file.name.startswith("."))
    yield from kind.gather([file for file in files if not file.name.startswith(".")])


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the names of a path match those of a glob."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_fits(names[i:], pattern[1:]) for i in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _fits(names[1:], pattern[1:])


def named_like(suffixes: Iterable[str], path: Path) -> bool:
    """Whether a file's name has one of these suffixes."""
    return path.name.lower().endswith(tuple(suffixes))
