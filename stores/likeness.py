"""likeness: what is there in place of a path that does not exist, the likest name first."""

from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path

ALIKE = 0.6
"""Likeness of two names, of at most 1, from which on one may be meant by the other."""


def neighbours(path: Path) -> dict[Path, float]:
    """What is in the last folder of a path that exists -> its likeness to what is missing there, the likest first."""
    missing, folder = path.name, path.parent
    while not folder.exists() and folder != folder.parent:
        missing, folder = folder.name, folder.parent
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    likeness = {child: _likeness(child.name.lower(), missing.lower()) for child in children}
    return dict(sorted(likeness.items(), key=lambda item: -item[1]))


def _likeness(name: str, missing: str) -> float:
    return 1.0 if name.startswith(f"{missing}.") else SequenceMatcher(None, name, missing).ratio()  # a forgotten ending


def meant(path: Path, fits: Callable[[Path], bool] = lambda path: True) -> str:
    """The question whether the likest path that fits was meant, as a sentence after others; empty where none is alike."""
    alike = (near for near, likeness in neighbours(path).items() if likeness >= ALIKE and fits(near))
    near = next(alike, None)
    return f" Did you mean {str(near)!r}?" if near else ""
