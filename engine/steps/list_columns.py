"""list_columns: the columns of the user's list as columns of tables, with their values as numbers or as texts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...stores.frame import Array
from ...stores.lists.cells import number_column
from ...stores.slides.sections import LANDMARKS
from ..pipeline.record import MAPS, REGISTERED, ImageRecord

RESERVED = frozenset(
    {
        "_index",
        "slide",
        "volume",
        "block",
        "site",
        "subject",
        "plane",
        "row",
        "column",
        "z",
        "y",
        "x",
        "z_um",
        "y_um",
        "x_um",
    }
    | {"cluster", "cluster_name", "assignment", "confidence", "region", "instance_id"}
)
"""Columns that tables of tiles, searches and exports have of their own, in some runs or formats."""
OF_FEATURES = "embedding_"
"""Beginning of the names of features in Parquet."""
LISTED = "listed"
"""Where a table notes which of its columns are of the list."""
MAX_NAME_BYTES = 180
"""Of a name in UTF-8: folders have names of at most 255 bytes on most disks, less on encrypted ones; there is more in it."""
_OF_STORES = frozenset({"_index", "zarr.json", ".", ".."})
"""Names that no column can have in a table."""
INTERNAL = frozenset({REGISTERED, MAPS, LANDMARKS})
"""Columns of a block that no list has: the run that its registration comes from, and digests."""


def own_name(name: str, taken: Collection[str]) -> str:
    """A list's column in the table: one named as a column of the table, or that no folder can have as its name, gets another.

    Tables store a column in a folder of its name: a slash would divide it, and a long heading is cut, with digits of its own.

    >>> own_name("age", ["id"]), own_name("id", ["id"]), own_name("mg/l", ["id"]), own_name("_index", ["id"])
    ('age', 'list id', 'mg per l', 'list _index')
    """
    name = name.replace("/", " per ")
    if len(data := name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        start = data[:MAX_NAME_BYTES].decode("utf-8", "ignore").rstrip()
        name = f"{start}... {hashlib.sha256(data).hexdigest()[:8]}"
    while name in taken or name in _OF_STORES:
        name = f"list {name}"
    return name


def list_texts(records: Sequence[ImageRecord]) -> dict[str, list[str]]:
    """Columns of the user's list: name -> the text of each image as it stands there, empty where it has none."""
    internal = INTERNAL if any(record.sections for record in records) else ()
    names = dict.fromkeys(name for record in records for name in record.columns if name not in internal)
    return {name: [record.columns.get(name, "").strip() for record in records] for name in names}


def list_columns(records: Iterable[ImageRecord]) -> dict[str, Array]:
    """Columns of the user's list for a table of tiles: name -> a value an image, as `column` has it."""
    found = dict[str, Array]()
    for name, texts in list_texts(list(records)).items():
        own = f"list {name}" if name.startswith(OF_FEATURES) else name
        found[own_name(own, {*RESERVED, *found})] = column(texts, name)
    return found


def columns_beside(
    own: Collection[str], texts: Mapping[str, Sequence[str]], stated: Collection[str] = ()
) -> dict[str, Array]:
    """Columns of the list beside `own` ones of a table: name in the table -> values, as `column` has them.

    `stated`: columns of the list that the table has already, under a name of its own, such as that of classes.

    >>> {name: values.tolist() for name, values in columns_beside(["name"], {"name": ["x"], "age": ["61"]}).items()}
    {'list name': ['x'], 'age': [61.0]}
    """
    found = dict[str, Array]()
    for name, values in texts.items():
        if name not in stated:
            found[own_name(name, {*own, *found})] = column(values, name)
    return found


def note_listed(table: Any, listed: Collection[str]) -> None:
    """Note in an AnnData which of its columns are of the user's list: pages that are sent do not hold all of these."""
    if listed:
        table.uns["tile_engine"] = {LISTED: np.array([*listed], object)}


def noted_listed(table: Any) -> frozenset[str]:
    """The columns of an AnnData that `note_listed` noted; none in tables of before, which had no columns of the list."""
    return frozenset(map(str, table.uns.get("tile_engine", {}).get(LISTED, ())))


def column(texts: Sequence[str], name: str = "") -> Array:
    """A column of the list as float64 where most of its texts are numbers (age), with NaN for the others; else as str.

    Units, bounds ("89+"), decimal commas and 999 are read as `stores.lists.cells.number_column` does.

    >>> column(["61.5", "", "70", "unknown"]).tolist()
    [61.5, nan, 70.0, nan]
    >>> column(["007", "12"]).tolist()  # a number that begins with 0 is a name
    ['007', '12']
    """
    numbers = number_column(texts, name)
    return np.array(texts, dtype=object) if numbers is None else np.array(numbers.values)
