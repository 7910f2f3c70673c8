"""Ours: the files below a folder that tile-engine wrote, recognised by their names; all other files are foreign and stay.

A symbolic link is never a folder of ours: files behind it are never listed, and so never removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import SettingsError
from .inside import ID_PATTERN
from .remote import ObjectPath

ARRAY_KEYS = r"(zarr\.json|c(/\d+)*)"
"""Keys below a zarr v3 array or group: its metadata and its chunks."""
IMAGE_KEYS = rf"(zarr\.json|\d+/{ARRAY_KEYS})"
"""Keys below a multiscale image, label or layer."""


def anndata_keys(columns: str) -> str:
    """Keys below a table of ours, an AnnData, whose columns have names that match a pattern."""
    return (
        rf"((X|layers|obsp|varm|varp|raw|var(/_index)?|obs(/({columns})(/(categories|codes))?)?"
        rf"|obsm(/(spatial|X_umap|X_tsne|X_pca))?|uns(/(tile_engine(/[a-z_]+)?|[a-z]+_colors))?)/)?{ARRAY_KEYS}"
    )


ANY_COLUMN = r"[^/]+"
"""Pattern of column names, for tables that also have the columns of the user's list."""
ANNDATA_KEYS = anndata_keys(ANY_COLUMN)

OWN_FOLDERS = (
    "slides", "volumes", "sections", "overviews", "transforms", "pairs", "samples.zarr", "films.zarr", "models", "tables",
    "maps", "receipts", "index",
)  # fmt: skip
"""Folders of OUT that a run writes."""
OWN_PATHS = (
    r"(run|slides|rejected|rejected_pictures|quarantined|warnings|lock)\.json|run\.yaml|report\.html|shares\.csv"
    rf"|(slides|volumes|sections)/{ID_PATTERN}\.ome\.zarr/(((labels/tissue|layers/{ID_PATTERN})/)?{IMAGE_KEYS}|(labels|layers)/zarr\.json)"
    rf"|samples\.zarr/({ID_PATTERN}/)*{ARRAY_KEYS}|models/{ID_PATTERN}\.(safetensors|json)|tables/{ID_PATTERN}\.zarr/{ANNDATA_KEYS}"
    rf"|maps/(density/)?{ID_PATTERN}\.(png|geojson)|receipts/({ID_PATTERN}/)*{ID_PATTERN}\.json"
    r"|index/((vectors|lists)\.npy|columns\.npz|index\.json|added\.npz)"
)
"""Pattern of the paths below OUT, with slashes, that every run may write; a run's own outputs come on top."""


def named(pattern: str) -> Callable[[str], bool]:
    """A function: whether a relative path, with slashes, matches `pattern` as a whole."""
    compiled = re.compile(pattern)
    return lambda name: compiled.fullmatch(name) is not None


def held(root: Path, ours: Callable[[str], bool], below: str = "") -> Iterator[Path]:
    """The files below `root` whose relative path is `ours`; `root` itself, by the name "", if it is a file. A link to a folder
    is not followed."""
    if root.is_symlink() and root.is_dir():
        return
    if not root.is_dir():
        if root.exists() and ours(below):
            yield root
        return
    for path in list(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from held(path, ours, f"{below}{path.name}/")
        elif ours(below + path.name):
            yield path


def check_links(out: Path) -> None:
    """Raises SettingsError (E_FOREIGN) for a link, a pipe, a socket or a device in the folders of OUT that a run writes."""
    if isinstance(out, ObjectPath):
        return
    for name in OWN_FOLDERS:
        for entry in irregular(out / name):
            raise SettingsError(
                f"{entry} is a link, a pipe, a socket or a device, and no run leaves one: files outside of {out} could be "
                "read or written over. Nothing was begun. Remove it, or choose another folder with --out; to keep results on "
                "another disk, make OUT itself a link.",
                "E_FOREIGN",
            )


def irregular(folder: Path) -> Iterator[Path]:
    """What is neither a file nor a folder, at a path or below it. Nothing is opened, and no link is followed."""
    if folder.is_symlink():
        yield folder
    elif folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from irregular(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def prune(root: Path, ours: Callable[[str], bool]) -> None:
    """Remove the files that `held` lists, then the folders that became empty."""
    emptied: set[Path] = set()
    for path in held(root, ours):
        path.unlink(missing_ok=True)
        if path != root:
            emptied.add(path.parent)
    while emptied:
        folder = max(emptied, key=lambda path: len(path.parts))
        emptied.remove(folder)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            if folder != root:
                emptied.add(folder.parent)
