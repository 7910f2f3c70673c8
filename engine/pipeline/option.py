"""Option: metadata of a setting for the command line and the reference, beside its type and description, at its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

READ = "What to read"
FIND = "What to find"
TRY = "How hard to try"
WRITE = "What to write"
WHERE = "Where to run"
PANELS = (READ, FIND, TRY, WRITE, WHERE)
"""Groups of options in help, by the user's purpose, in display order."""


@dataclass(frozen=True, slots=True)
class Option:
    """Annotation `Annotated[int, Option(...)]` that makes a field a command-line option with the field's name."""

    panel: str
    """One of `PANELS`."""
    stages: tuple[str, ...] = ()
    """Stages whose commands accept the option, as their steps read it."""
    default: str = ""
    """The default as text, where it is computed or has a clearer name than its value."""
    metavar: str = ""
    """Placeholder of the value in help; by default it follows from the field's type."""
    accepts: Any = None
    """Further types that the settings model accepts and converts to the field's own type: `int | str`."""
    kept: bool = False
    """Whether a later command that does not give it keeps the value of the run, instead of the default; --redo resets it."""
    help: str = ""
    """Help text of a dataclass field, which, unlike a pydantic field, has no description."""
