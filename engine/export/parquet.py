"""parquet: the tiles of an image as a Parquet file, for R, pandas, polars, DuckDB and Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MachineError
from .picked import EMBEDDING, Picked

ROWS_PER_GROUP = 100_000
"""Rows that a reader can read by themselves."""


def check_pyarrow() -> None:
    """Raises MachineError (E_NO_PYARROW) where the package that writes Parquet is not installed."""
    _pyarrow()


def write_parquet(picked: Picked, folder: Path) -> None:
    """Write ID.parquet, one row per tile: image, subject and site, the columns of the table of tiles, embedding_0 and so on.

    x and y are pixels of the run's spacing, the first of the tile's cell; x_um and y_um micrometres, its centre. The schema's
    metadata states the spacing, the patch and the stride in micrometres.
    """
    pyarrow, parquet = _pyarrow()
    table, record, settings = picked.tiles(), picked.record, picked.patch
    count = len(table.obs)
    columns: dict[str, Any] = {
        name: pyarrow.array([value] * count, pyarrow.string()).dictionary_encode()
        for name, value in (
            (picked.job.modality.noun, picked.image),
            ("subject", record.subject),
            ("site", record.site),
        )
    }
    for name in table.obs:
        values = table.obs[name]
        if values.dtype.name != "category":
            columns[name] = pyarrow.array(values)
        elif values.cat.categories.dtype.kind == "i":
            columns[name] = pyarrow.array(values.astype(int))
        else:
            columns[name] = pyarrow.array(values.astype(str), pyarrow.string()).dictionary_encode()
    embedding = np.asarray(table.X)
    columns |= {f"{EMBEDDING}_{i}": pyarrow.array(embedding[:, i]) for i in range(embedding.shape[1])}
    spacing = record.spacing[0]
    lengths = {"spacing_um": spacing, "patch_um": settings.side * spacing, "stride_um": settings.step * spacing}
    metadata = {f"tile_engine.{name}": f"{length:g}" for name, length in lengths.items()}
    content = pyarrow.table(columns).replace_schema_metadata(metadata)
    path = folder / f"{picked.image}.parquet"
    parquet.write_table(content, path, compression="zstd", row_group_size=ROWS_PER_GROUP)


def _pyarrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet. Raises MachineError (E_NO_PYARROW)."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MachineError(
            "files of parquet are written by the package pyarrow, which is not installed: pip install 'tile-engine[parquet]'",
            "E_NO_PYARROW",
        ) from error
    return pyarrow, pyarrow.parquet
