"""documents: the JSON documents of a run that groups subjects: the tree of groups, and what the list says of them."""

from __future__ import annotations

from pydantic import Field

from ....pipeline.documents import Document, JsonNumber, Part
from ..documents import Colour

GROUPS, ASSOCIATIONS = "models/groups", "models/associations"


class Groups(Document):
    """models/groups.json: the tree of groups. At level K the groups are 1 to K; each keeps its number at finer levels."""

    subjects: tuple[str, ...]
    fine: tuple[int, ...]
    """Subject -> its group at the finest level."""
    parents: tuple[int, ...]
    """Number -> the group that it splits from at the level of its own number; 0 for group 1."""
    recommended: int
    """The level that is shown if the user sets none; 1 where no number of groups comes back."""
    found: int
    """The level whose groups were found; coarser levels unite them, finer ones divide them."""
    colours: tuple[Colour, ...]
    silhouettes: tuple[JsonNumber, ...] = Field((), exclude=True)
    """In documents of earlier versions only, and not used: the table has those of the level that is shown."""

    @property
    def finest(self) -> int:
        return len(self.parents)


class ColumnRow(Part):
    """A column over all groups (see `models.evaluation.associations.ColumnAssociation`)."""

    column: str
    is_number: bool
    subjects: int
    effect: float
    p: float
    least_p: float
    q: float


class DifferenceRow(Part):
    """A group beside all other subjects (see `models.evaluation.associations.GroupDifference`)."""

    group: int
    column: str
    category: str
    subjects: tuple[int, int]
    inside: float
    outside: float
    effect: JsonNumber
    low: JsonNumber
    high: JsonNumber
    size: JsonNumber
    p: float
    q: float


class SubjectAssociations(Document):
    """models/associations.json: the groups that are shown and the columns of the user's list."""

    level: int
    columns: tuple[ColumnRow, ...]
    differences: tuple[DifferenceRow, ...]
    left_out: tuple[str, ...]
    """Columns that are not compared, with the reason."""
    notes: tuple[str, ...]
    """Values that count as unknown, in words."""
