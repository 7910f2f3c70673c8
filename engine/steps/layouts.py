"""layouts: where a table's rows lie in the plane, in obsm under the name of the method that placed them: X_umap, X_pca."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...stores.frame import Array

NO_LAYOUT = "none"
"""Method of a layout that was not wanted, or that too few rows allow."""


def add_layout(table: Any, coordinates: Array, method: str) -> None:
    """Add the coordinates (row, 2) of a method to a table; none of `NO_LAYOUT`."""
    if method != NO_LAYOUT:
        table.obsm[f"X_{method}"] = coordinates


def layout_in(table: Any, kind: str = "umap") -> tuple[Array, str] | None:
    """(coordinates, method) of the layout that was asked for as `kind`; None where the table has none.

    Of too few different rows for a UMAP or a t-SNE, the method is pca. Earlier tables hold that under the name of the kind.
    """
    method = str(table.uns["tile_engine"][kind])
    if method == NO_LAYOUT:
        return None
    key = f"X_{method}" if f"X_{method}" in table.obsm else f"X_{kind}"
    return np.asarray(table.obsm[key]), method
