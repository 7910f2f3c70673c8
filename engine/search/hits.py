"""Hits: what a search found, as values: a case, its place among the nearest, and all of them as a table or as JSON."""

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
    """In the run; a tile's is `slide:row:column`. Empty for what was not there before."""
    name: str
    """Of the file, relative to the folder it was found in."""
    subject: str = ""
    site: str = ""
    label: str = ""
    """As the user's table has it; of a tile its cluster."""
    slide: str = ""
    """Id of the slide (or volume) that a tile is of."""
    z_um: float | None = None
    y_um: float | None = None
    x_um: float | None = None
    """Micrometres of a tile's centre on its slide."""
    path: str = ""
    part: str = ""
    """Where the file lies, and what is meant inside it."""

    @property
    def centre(self) -> tuple[float, ...]:
        """Of a tile, in the order of its axes."""
        return tuple(v for v in (self.z_um, self.y_um, self.x_um) if v is not None)


@dataclass(frozen=True, slots=True)
class Hit(Case):
    """A case that was found."""

    rank: int = 1
    """1 is the nearest."""
    distance: float = 0.0
    """Euclidean, between the codes."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The cases nearest to a query, nearest first; equally near ones in the run's order."""

    out: str
    query: Case
    rows: tuple[Hit, ...]
    cases: int
    """That were searched."""
    left_out: int
    """Cases of the query's own subject (or slide) that were not."""
    recall: float = 1.0
    """Share of the ten true neighbours that such a search finds; below 1 only above a million cases."""
    notes: tuple[str, ...] = ()
    """What was odd, in words."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a hit; columns that say nothing of any of them are left out."""
        import pandas as pd

        names = ["rank", "distance", *(f.name for f in fields(Case))]
        table = pd.DataFrame([asdict(hit) for hit in self.rows], columns=names)
        return table[[n for n in names if not table[n].isin(["", None]).all() or n in ("rank", "distance", "id")]]

    def json(self) -> str:
        """All of it as one JSON object on one line."""
        return json.dumps(_describe(asdict(self)), allow_nan=False)


def _describe(value: Any) -> Any:
    """Without what is None: a volume has no place on a slide."""
    if isinstance(value, dict):
        return {k: _describe(v) for k, v in value.items() if v is not None}
    return [_describe(v) for v in value] if isinstance(value, list | tuple) else value
