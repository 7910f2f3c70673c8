"""Option: what the command line and the reference need of a setting beside its type and description; it stands at the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

READ = "What to read"
FIND = "What to find"
TRY = "How hard to try"
WRITE = "What to write"
WHERE = "Where to run"
PANELS = (READ, FIND, TRY, WRITE, WHERE)
"""Groups of options in help, by what a user thinks of, in this order."""


@dataclass(frozen=True, slots=True)
class Option:
    """A field that carries it, as `Annotated[int, Option(...)]`, is an option of the command line under the field's name."""

    panel: str
    """One of `PANELS`."""
    stages: tuple[str, ...] = ()
    """Commands of single stages that take it: those whose steps read it."""
    default: str = ""
    """The default in words, where it is computed or has a better name than its value."""
    metavar: str = ""
    """What stands for the value in help; unset: after the field's type."""
    accepts: Any = None
    """Type of other values that mean the same, which the model turns into the field's own: `int | str`."""
    help: str = ""
    """The help of a field that has no description, since it is no field of a pydantic model."""
