"""likeness: what is there in place of a path that does not exist, the likest name first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from ..errors import NoInputError
from .remote import ObjectPath, to_path

ALIKE = 0.6
"""Likeness of two names, of at most 1, from which on one may be meant by the other."""


def neighbours(path: Path) -> dict[Path, float]:
    """What is in the last folder of a path that exists -> its likeness to what is missing there, the likest first."""
    missing, folder = path.name, path.parent
    while not (folder.exists() or folder == folder.parent or (isinstance(folder, ObjectPath) and not folder.key)):
        missing, folder = folder.name, folder.parent
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    likeness = {child: _likeness(child.name.lower(), missing.lower()) for child in children}
    return dict(sorted(likeness.items(), key=lambda item: -item[1]))


def _likeness(name: str, missing: str) -> float:
    if name.startswith(f"{missing}."):
        return 1.0  # a forgotten ending
    stem, dot, ending = missing.rpartition(".")
    if stem and name.endswith(f".{ending}"):  # an ending that all files share makes no name alike
        name, missing = name.removesuffix(f"{dot}{ending}"), stem
    return SequenceMatcher(None, name, missing).ratio()


def meant(path: Path, fits: Callable[[Path], bool] = lambda path: True) -> str:
    """The question whether the likest path that fits was meant, as a sentence after others; empty where none is alike."""
    alike = (near for near, likeness in neighbours(path).items() if likeness >= ALIKE and fits(near))
    near = next(alike, None)
    return f" Did you mean {str(near)!r}?" if near else ""


def check_quoted(paths: Sequence[str | Path]) -> None:
    """Raises NoInputError where several paths are one whose name has spaces, which a shell has split."""
    path = " ".join(map(str, paths))
    if not to_path(paths[0]).exists() and to_path(path).exists():
        raise NoInputError(f"{paths[0]}: does not exist, but {path!r} does: put a path with spaces in quotes.")
