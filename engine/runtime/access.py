"""Access: who may read the results. Columns of a list (subject, age, diagnosis) are carried into tables and reports."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from ...errors import SettingsError
from ...stores.folder import Folder
from ...stores.remote import ObjectPath
from ...stores.slides.cohort import Cohort
from ..pipeline.progress import Event, Report

PRIVATE = 0o700
"""Access rights of an OUT that carries columns of a list: its owner's alone."""


def claim(folder: Folder, cohort: Cohort, mode: str | None, report: Report) -> None:
    """Create OUT with the access rights of its content; a folder that exists keeps its own, and an open one is reported.

    Raises SettingsError for a `mode` that is no access right, or that OUT cannot have.
    """
    chosen = check_mode(mode, folder.out)
    existed, on_disk = folder.out.exists(), not isinstance(folder.out, ObjectPath)
    folder.claim(chosen if chosen is not None else PRIVATE if cohort.listed and on_disk else None)
    if existed and cohort.listed and on_disk and _open_to_all(folder.out):
        report(
            Event(
                "warning",
                f"{folder.out} can be opened by everybody on this machine, and results carry columns of the list, such as "
                f"subjects: run `chmod 700 {folder.out}`, or choose a new folder, which is created with rights for you alone",
            )
        )


def check_mode(mode: str | None, out: Path) -> int | None:
    """Access rights from text. Raises SettingsError for text that is none, or that OUT cannot have."""
    if mode is None:
        return None
    if isinstance(out, ObjectPath):
        raise SettingsError(f"--mode {mode} is for folders on disk, and {out} lies in an object store: leave it out.")
    if not re.fullmatch(r"0?7[0-7]{2}", mode):
        raise SettingsError(
            f"--mode is {mode!r}: give three octal digits, the first of them 7, as the run itself reads and writes, such as "
            "700, 750 or 755."
        )
    return int(mode, 8)


def _open_to_all(out: Path) -> bool:
    return bool(out.stat().st_mode & stat.S_IXOTH)  # names of results are known: whoever may enter can open them
