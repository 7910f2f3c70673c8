"""columns: what points of the plane are coloured by beside clusters, and which columns of the list a page to send may hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stores.frame import Array
from ..pipeline.job import Job
from ..runs.cluster.subjects.table import LISTED
from ..show.palette import colour, hexadecimal
from ..show.volume_plane import MAX_VALUES_COLOURED
from ..steps.list_columns import column, own_name
from ..steps.volumes.plane_columns import plane_columns
from .sent_names import sent_names

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("label", "class", "age", "sex", "gender", "site")
"""Columns of a list, whatever the case of their letters, that a page to send holds; others where the user names them."""
FILES = ("mask", "part")
"""Columns of a list that name files, or an image in a file."""
DIGITS = 6
"""Significant digits of a number: a column may have any range."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Columns of the rows of a table, or of the images of a run."""

    frame: pd.DataFrame
    subjects: Sequence[str]
    """Of each row; "" where it is not known."""
    by: str
    """What a row is: point or image."""
    found: Collection[str] = ()
    """Columns that the run made: they are not of the list."""


def shown_columns(
    listed: Listed, only: Collection[str] | None = None
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """(columns that tell something as JSON values, those first that are asked for most; names of those that stay behind).

    Columns that name cases are never shown. `only` is of a page to send: that holds columns of the run, the usual ones and
    these (lower case), and of texts those that have a colour.
    """
    kept, behind = [], []
    for name in map(str, listed.frame):
        if name in listed.found or name.casefold() in {*USUAL, *(only or ())}:
            kept.append(name)
        elif only is not None:
            behind.append(name)
        elif not names_cases(listed.frame[name].tolist(), listed.subjects):
            kept.append(name)
    chosen, _ = plane_columns(listed.frame, kept)
    facts = ({"name": name, "by": listed.by} | _shown(values, only is not None) for name, values in chosen.items())
    return tuple(facts), tuple(behind)


def listed_columns(job: Job[Any], *, to_send: bool = False) -> pd.DataFrame:
    """The name of each image of a run, `to_send` as such a page has it, and what the user's list says of the image."""
    import pandas as pd

    records = list(job.slides.values())
    names = list(sent_names(job.slides).values()) if to_send else [record.name for record in records]
    texts = {job.modality.noun: names, "site": [record.site for record in records]}
    for name in names_of_list(job):
        if name not in FILES:
            texts.setdefault(_plain(name), [record.columns.get(name, "").strip() for record in records])
    return pd.DataFrame({name: column(values) for name, values in texts.items()})


def names_of_list(job: Job[Any]) -> list[str]:
    """Columns of the user's list, as the list calls them."""
    return list(dict.fromkeys(name for record in job.slides.values() for name in record.columns))


def names_in_plane(job: Job[Any], name: str) -> frozenset[str]:
    """What the plane of a run may call a column that a user names, by its name in the list or in a table; in lower case.

    Tables call the column of classes label, and one that has the name of a column of theirs, such as id, list id.
    """
    plain = _plain(name.casefold())
    of_class = {"label"} if name.casefold() == job.settings.class_column.casefold() else set[str]()
    cut = {own_name(one, ()).casefold() for one in names_of_list(job) if one.casefold() == name.casefold()}
    return frozenset({plain, f"list {plain}", f"{LISTED}{plain}"} | cut | {f"list {one}" for one in cut} | of_class)


def _plain(name: str) -> str:
    """A column of the list without slashes, as tables have it."""
    return name.replace("/", " per ")


def names_cases(values: Sequence[object], subjects: Sequence[str]) -> bool:
    """Whether a column has another text in each row, or one for each subject: a name, a file or a number in an archive.

    `subjects` has "" for a row that is a subject of its own. Numbers may differ, as ages do.

    >>> names_cases(["Doe", "Doe", "Roe", "Poe"], ["s1", "s1", "s2", "s3"])
    True
    >>> names_cases(["A", "A", "B", "C"], ["s1", "s2", "s3", "s4"])
    False
    >>> names_cases(["cortex", "cortex", "hippocampus", "cerebellum"], ["s1"] * 4)  # parts of one subject
    False
    """
    rows = enumerate(zip(values, subjects, strict=True))
    stated = [(text, subject or row) for row, (text, subject) in rows if isinstance(text, str) and text]
    pairs = set(stated)
    texts, owners = {text for text, _ in pairs}, {owner for _, owner in pairs}
    is_one_to_one = len(pairs) == len(texts) == len(owners)
    return len(texts) > 2 and (len(texts) == len(stated) or is_one_to_one)


def _shown(values: Array, to_send: bool) -> dict[str, Any]:
    """A column as the reports colour it: numbers from low to high, or texts, of which the first few have colours."""
    if values.dtype.kind == "f":
        rounded = [float(f"{value:.{DIGITS}g}") for value in values]
        known = [value for value in rounded if np.isfinite(value)]
        return {"low": min(known), "high": max(known), "values": rounded}
    names = sorted({str(value) for value in values} - {""})
    code = {name: number for number, name in enumerate(names[:MAX_VALUES_COLOURED], 1)}
    colours = [hexadecimal(colour(number)) for number in code.values()]
    texts = [str(value) for value in values]
    shown = {"names": list(code), "colours": colours, "values": [code.get(text, 0) for text in texts]}
    return shown if to_send else shown | {"texts": texts}
