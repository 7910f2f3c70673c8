"""list_columns: the columns of the user's list as columns of tables, with their values as numbers or as texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np

from ...stores.frame import Array
from ...stores.lists.cells import number_column
from ..pipeline.record import ImageRecord


def own_name(name: str, taken: Collection[str]) -> str:
    """A list's column in the table: one named as a column of the table, or with a slash, gets another name.

    >>> own_name("age", ["id"]), own_name("id", ["id"]), own_name("mg/l", ["id"])
    ('age', 'list id', 'mg per l')
    """
    name = name.replace("/", " per ")
    while name in taken:
        name = f"list {name}"
    return name


def list_columns(records: Sequence[ImageRecord], taken: Collection[str]) -> dict[str, Array]:
    """Columns of the user's list for a table that has the columns `taken`: name -> a value an image, as `column` has it."""
    found = dict[str, Array]()
    for name in dict.fromkeys(name for record in records for name in record.columns):
        texts = tuple(record.columns.get(name, "").strip() for record in records)
        found[own_name(name, {*taken, *found})] = _typed(texts, name)
    return found


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


_typed = lru_cache(maxsize=64)(column)
"""An export asks for the same columns image by image."""
