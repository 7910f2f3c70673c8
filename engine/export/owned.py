"""Owned: which files in the folder of an export are tile-engine's; a receipt of each unit says so, by size and checksum.

A unit is what is exported at once: a field of a volume as NIfTI, an image in the other formats.

A file that stands where one would be written, and is none of the receipt's or was changed since (a label map that somebody
corrected by hand), is foreign: it is never overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Literal

from ...errors import SettingsError
from ...stores.array import Written
from ...stores.files import target_of
from ...stores.inside import ID_PATTERN
from ...stores.partial_file import crc32_of
from ...stores.receipts import Ledger, read_receipt

OWN_NAMES = re.compile(
    r"sub-[A-Za-z0-9]+/(ses-[A-Za-z0-9]+/)?[a-z]+/sub-[A-Za-z0-9]+(_[A-Za-z]+-[A-Za-z0-9+]+)*_[A-Za-z0-9]+\.(nii\.gz|json|tsv)"
    rf"|{ID_PATTERN}\.(ome\.tif|h5|geojson)|{ID_PATTERN}\.(ome\.)?zarr/.+"
)
"""Paths below the folder of an export that a receipt may name: no other file is ever removed."""
State = Literal["new", "same", "old"]
"""Nothing is there, or not all of it; all is there, of the same results; all or some is there, of other results."""


def export_state(folder: Path, kind: str, unit: str, fingerprint: Callable[[], str], targets: Sequence[Path]) -> State:
    """What is there of a unit's files; its fingerprint is asked for only where some are.

    Raises SettingsError (E_FOREIGN) for a file that tile-engine did not write.
    """
    path_of_receipt = Ledger(folder, kind, "").path(unit)
    check_no_link(folder, path_of_receipt)
    try:
        receipt = read_receipt(path_of_receipt)
    except (FileNotFoundError, NotADirectoryError):
        receipt = None
    written = {folder / path: (size, checksum) for path, size, checksum in receipt.files} if receipt else {}
    held = [path for path in {*targets, *written} if path.exists() or path.is_symlink()]
    for path in sorted(held):
        check_no_link(folder, path)
        if path not in written or not path.is_file() or written[path] != (path.stat().st_size, crc32_of(path)):
            why = "was changed after it was exported" if path in written else "was not exported from this run"
            raise SettingsError(
                f"{path} {why}: the export would overwrite it. Nothing was written. Move it away, or choose another folder "
                f"with --out (now {folder}).",
                "E_FOREIGN",
            )
    if not held:
        return "new"
    if receipt is None or receipt.fingerprint != fingerprint():
        return "old"
    return "same" if {*written} == {*held} == {*targets} else "new"


def check_no_link(folder: Path, path: Path) -> None:
    """Raises SettingsError (E_FOREIGN) where a path is, or leads through, a symbolic link below the folder."""
    for part in (path, *path.parents):
        if part == folder:
            return
        if part.is_symlink():
            raise SettingsError(
                f"{part} is a symbolic link: the export would write behind it. Nothing was written. Remove the link, or choose "
                "another folder with --out.",
                "E_FOREIGN",
            )


def forget(folder: Path, kind: str, unit: str) -> None:
    """Remove the files of a unit that its receipt names, and then the receipt. Their state was checked before."""
    path = Ledger(folder, kind, "").path(unit)
    if not path.exists():
        return
    for name, _, _ in read_receipt(path).files:
        if OWN_NAMES.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    path.unlink()


def remember(folder: Path, kind: str, unit: str, fingerprint: str, files: Sequence[Written]) -> None:
    """Write the receipt, before the files get their names: a killed export leaves no file that nobody owns."""
    Ledger(folder, kind, fingerprint).write(unit, files, seconds={}, facts={})


def sweep(targets: Collection[Path]) -> None:
    """Remove what a killed export left under temporary names of its files."""
    for folder in {path.parent for path in targets}:
        for path in folder.iterdir() if folder.is_dir() else ():
            target = target_of(path.name)
            if target and folder / target in targets and path.is_file() and not path.is_symlink():
                path.unlink(missing_ok=True)
