"""run_warnings: warnings.json, what a run warned of: printed by the command line, and read by its report."""

from __future__ import annotations

from collections.abc import Iterable

from ...stores.folder import Folder
from .documents import Document, Part, find_document

WARNINGS = "warnings"
OPENING = "open"
"""What is warned of before all steps: the list, the images' notes, the machine."""


class RunWarning(Part):
    """One warning."""

    text: str
    """Without the names of images."""
    images: tuple[str, ...] = ()
    """Names of the images that it is about; empty where it is about the run."""
    step: str = OPENING


class RunWarnings(Document):
    """warnings.json: in the order in which they were said."""

    warnings: tuple[RunWarning, ...]


def read_warnings(folder: Folder) -> tuple[RunWarning, ...]:
    """What the run warned of; nothing where it has no such document."""
    document = find_document(folder, WARNINGS, RunWarnings)
    return document.warnings if document else ()


def forget_warnings(folder: Folder, images: Iterable[str]) -> None:
    """Remove what was warned of images of these names, whose results are removed as well."""
    earlier, gone = read_warnings(folder), set(images)
    left = [one.model_copy(update={"images": tuple(i for i in one.images if i not in gone)}) for one in earlier]
    kept = tuple(one for one, before in zip(left, earlier, strict=True) if one.images or not before.images)
    if kept != earlier:
        write_warnings(folder, kept)


def write_warnings(folder: Folder, warnings: Iterable[RunWarning]) -> None:
    document = RunWarnings(warnings=tuple(warnings))
    if document.warnings or (folder.out / f"{WARNINGS}.json").exists():
        folder.write(WARNINGS, document.model_dump(mode="json"))
