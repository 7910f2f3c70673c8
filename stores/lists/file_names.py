"""File names of a list, found in folders that spell them otherwise: composed accents, backslashes, left-out suffixes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..remote import ObjectPath, to_path

_ZARR = (".zarr", ".ome.zarr", ".ome.tif", ".ome.tiff")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """The file that a cell of a list names."""

    path: Path
    exists: bool
    respelt: bool = False
    """Whether the file's path is spelt otherwise than in the cell."""


class FileNames:
    """Paths of a list's cells, relative to its folder."""

    def __init__(self, folder: Path, suffixes: Collection[str]) -> None:
        self._folder = folder
        self._suffixes = frozenset(suffixes) | frozenset(_ZARR)
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(self, cell: str) -> FoundFile:
        """The file of a cell. A path that does not exist as it is written is looked for in other spellings.

        A spelling that fits several files fits none.
        """
        path = self._stated(cell)
        if _exists(path):
            return FoundFile(path, exists=True)
        for spelling in dict.fromkeys((cell, cell.replace("\\", "/"))):
            if found := self._spelt(self._stated(spelling)):
                return FoundFile(found, exists=True, respelt=True)
        return FoundFile(path, exists=False)

    def _stated(self, cell: str) -> Path:
        try:
            is_absolute = "://" in cell or Path(cell).expanduser().is_absolute()
            return to_path(cell if is_absolute else self._folder / cell)
        except RuntimeError:  # "~name" where nobody has that name is a file's own name
            return self._folder.absolute() / cell

    def _spelt(self, path: Path) -> Path | None:
        if _exists(path):
            return path
        if isinstance(path, ObjectPath):  # a look costs a request: no folder is listed
            forms = (ObjectPath(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
            return next((one for one in forms if one.exists()), None)
        names, folder = [path.name], path.parent
        while not _exists(folder) and folder != folder.parent:
            names.append(folder.name)
            folder = folder.parent
        for name in reversed(names):
            if (found := self._in_folder(folder, name)) is None:
                return None
            folder = found
        return folder

    def _in_folder(self, folder: Path, name: str) -> Path | None:
        listing = self._listings.get(folder)
        if listing is None:
            listing = self._listings[folder] = _names(folder)
        plain = unicodedata.normalize("NFC", name)
        found = listing.get(plain, [])
        if not found:
            found = [one for suffix in self._suffixes for one in listing.get(plain + suffix, [])]
        return folder / found[0] if len(found) == 1 else None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _names(folder: Path) -> dict[str, list[str]]:
    """Composed spelling -> names in a folder that are spelt so, accents composed or not."""
    names: dict[str, list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                names.setdefault(unicodedata.normalize("NFC", entry.name), []).append(entry.name)
    except OSError:
        return {}
    return names
