"""plane_columns: the columns of the user's list that the plane of volumes or subjects is coloured by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stores.frame import Array

if TYPE_CHECKING:
    import pandas as pd

FIRST = ("label", "class", "diagnosis", "age", "sex", "gender", "site")
"""Columns that come first, in this order, whatever the case of their letters; the others as the list has them."""
MAX_COLUMNS = 8
"""Columns that are drawn, at most."""
MAX_TEXTS = 12
"""Different texts from which a column is taken for names, where they are more than a third of the rows."""


def plane_columns(frame: pd.DataFrame, names: Iterable[str]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """(column of a frame -> its values, texts with "" or floats with NaN where unknown; columns beyond the bound).

    Columns with one value are left out, and texts that name each row. Numbers of two values, as of a coded sex, are classes.
    """
    order = {name: i for i, name in enumerate(FIRST)}
    found = dict[str, Array]()
    for name in sorted(names, key=lambda name: order.get(name.casefold(), len(FIRST))):
        values = _values(frame[name])
        if values is not None:
            found[name] = values
    drawn = list(found)[:MAX_COLUMNS]
    return {name: found[name] for name in drawn}, tuple(name for name in found if name not in drawn)


def not_drawn(more: Sequence[str]) -> tuple[str, ...]:
    """What a report says of the columns beyond the bound."""
    return (f"Columns of the list that are not drawn: {', '.join(more)}.",) if more else ()


def _values(column: Any) -> Array | None:
    """A column as text or floats; None for one that tells nothing."""
    if column.dtype.kind in "fiu":
        numbers = column.to_numpy(np.float64)
        different = np.unique(numbers[np.isfinite(numbers)])
        if len(different) > 2:
            return np.asarray(numbers)
        texts = ["" if np.isnan(value) else f"{value:g}" for value in numbers]
    else:
        texts = ["" if value != value or value is None else str(value).strip() for value in column.tolist()]
        texts = ["" if text == "nan" else text for text in texts]
    count = len({*texts} - {""})
    if count < 2 or (count > MAX_TEXTS and 3 * count > len(texts)):
        return None
    return np.array(texts)
