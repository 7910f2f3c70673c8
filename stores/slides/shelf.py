"""Shelf: slides under a prefix of an object store. Names decide what is one: looking into every object would cost a request."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ..remote import ObjectPath
from .companions import companions
from .zarr_reader import METADATA, holds_image

SUFFIXES = frozenset({
    ".svs", ".svslide", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".czi", ".tif", ".tiff", ".btf", ".tf2", ".tf8",
    ".qptiff", ".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".jpx", ".webp", ".bmp",
})  # fmt: skip
"""Names that promise a slide: such a file is an entry whatever it holds, and is rejected with a reason if it is none."""

Ignored = list[tuple[str, str]]
"""(path below the root, why it is no slide)"""


def below(root: ObjectPath) -> tuple[list[ObjectPath], Ignored]:
    """The slides in a folder and its subfolders, and what else was seen there."""
    ignored: Ignored = []
    return list(_walk(root, root, root.children(), ignored)), ignored


def fitting(pattern: ObjectPath) -> tuple[list[ObjectPath], Ignored]:
    """The slides whose whole path fits a glob, in which ** stands for any number of folders."""
    fixed = next(p for p in reversed((pattern, *pattern.parents)) if glob.has_magic(p.name)).parent
    parts = pattern.relative_to(fixed).parts
    found, ignored = below(fixed)
    return (
        [path for path in found if _fits(path.relative_to(fixed).parts, parts)],
        [item for item in ignored if _fits(item[0].split("/"), parts)],
    )


def _walk(
    folder: ObjectPath, root: ObjectPath, listing: tuple[list[ObjectPath], list[ObjectPath]], ignored: Ignored
) -> Iterator[ObjectPath]:
    folders, files = listing
    names = {file.name for file in files}
    for child in folders:
        inside = child.children()
        held = {file.name for file in inside[1]}
        reason = ""
        if child.name.startswith("."):
            reason = "is hidden"
        elif "run.json" in held:
            reason = "was written by tile-engine"
        elif owner := names & {f"{child.name}.mrxs", f"{child.name}.MRXS"}:
            reason = f"is part of {owner.pop()}"
        elif "Slidedat.ini" in held:
            reason = "is part of an .mrxs file that is not here"
        elif held & METADATA or child.suffix.lower() == ".zarr":
            if holds_image(child):
                yield child
                continue
            reason = "is a zarr folder without an image (no multiscales)"
        if reason:
            ignored.append((child.relative_to(root).as_posix(), reason))
        else:
            yield from _walk(child, root, inside, ignored)
    owned = companions(files)
    for file in files:
        reason = f"is part of {owned[file.name]}" if file.name in owned else _no_slide(file)
        if reason:
            ignored.append((file.relative_to(root).as_posix(), reason))
        else:
            yield file


def _no_slide(file: ObjectPath) -> str:
    if file.name.startswith("."):
        return "is hidden"
    return "" if file.suffix.lower() in SUFFIXES else "is not named like a slide"


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path's names fit those of a glob."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_fits(names[i:], pattern[1:]) for i in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _fits(names[1:], pattern[1:])
