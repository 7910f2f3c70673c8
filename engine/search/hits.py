"""Hits: the results of a search as values: cases with their rank and distance, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Case:
    """A volume, or a tile of a slide."""

    id: str
    """Id in the run; the id of a tile is `slide:row:column`. Empty for a query that is not in the run."""
    name: str
    """Path of the file relative to the folder in which it was found."""
    subject: str = ""
    site: str = ""
    label: str = ""
    """Class in the user's list; for a tile, its cluster."""
    slide: str = ""
    """Id of the slide (or volume) that a tile belongs to."""
    z_um: float | None = None
    y_um: float | None = None
    x_um: float | None = None
    """Centre of a tile on its slide, in micrometres."""
    path: str = ""
    part: str = ""
    """Path of the file, and the name of the image inside it (`part`)."""
    mpp: float | None = None
    """Micrometres a pixel that the user states of a query that is not in the run."""

    @property
    def centre(self) -> tuple[float, ...]:
        """Centre of a tile in micrometres, in the order of its axes; empty for a volume."""
        return tuple(v for v in (self.z_um, self.y_um, self.x_um) if v is not None)


@dataclass(frozen=True, slots=True)
class Hit(Case):
    """A case that a search found."""

    rank: int = 1
    """1 is the nearest."""
    distance: float = 0.0
    """Euclidean distance between the embeddings."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The cases nearest to a query, nearest first; ties in the order of the run."""

    out: str
    query: Case
    rows: tuple[Hit, ...]
    cases: int
    """Number of cases that can be searched, the query itself and those that were left out among them."""
    left_out: int
    """Number of cases of the query's own subject (or slide), which were left out."""
    recall: float = 1.0
    """Recall at 10 of the index: share of the ten true neighbours that it finds; below 1 only above a million cases."""
    notes: tuple[str, ...] = ()
    """Warnings for the user."""

    @property
    def searched(self) -> int:
        """Number of cases that the query was compared with."""
        return self.cases - self.left_out - bool(self.query.id)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per hit; columns that are empty for all hits are left out."""
        import pandas as pd

        names = ["rank", "distance", *(f.name for f in fields(Case))]
        table = pd.DataFrame([asdict(hit) for hit in self.rows], columns=names)
        return table[[n for n in names if not table[n].isin(["", None]).all() or n in ("rank", "distance", "id")]]

    def json(self) -> str:
        """The hits as one JSON object on one line."""
        return json.dumps(_describe(asdict(self)), allow_nan=False)


def _describe(value: Any) -> Any:
    """The value without keys whose value is None, such as the position of a volume on a slide."""
    if isinstance(value, dict):
        return {k: _describe(v) for k, v in value.items() if v is not None}
    return [_describe(v) for v in value] if isinstance(value, list | tuple) else value
