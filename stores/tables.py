"""Tables: AnnData in zarr stores; the root metadata is written last, so that a table is whole or absent."""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from ..errors import CorruptError
from .array import Written
from .files import crc32, write_whole
from .ours import anndata_keys, named, prune
from .remote import ObjectPath


def write_table(path: Path, table: Any) -> list[Written]:
    """Write an AnnData as zarr v3 and replace an old one; returns its files, sorted.

    The root metadata of the old table is removed first, that of the new one is written last: a reader finds a whole table
    or none. Foreign files in the folder stay.
    """
    files = sorted(_encoded(table).items())
    root = path / "zarr.json"
    root.unlink(missing_ok=True)
    prune(path, named(anndata_keys("|".join(map(re.escape, ["_index", *table.obs.columns])))))
    for name, data in sorted(files, key=lambda file: file[0] == root.name):
        write_whole(path / name, data)
    return [Written(path / name, len(data), crc32(data)) for name, data in files]


def _encoded(table: Any) -> dict[str, bytes]:
    """Path below the table -> bytes."""
    import anndata
    import zarr

    store: dict[str, Any] = {}
    previous_format = anndata.settings.zarr_write_format
    anndata.settings.zarr_write_format = 3
    try:
        with zarr.config.set({"async.concurrency": 1}), warnings.catch_warnings():
            # zarr warns of anndata's choice of chunks and of its consolidated metadata
            warnings.filterwarnings(
                "ignore", category=UserWarning, message="zarr v3 autosharding|Consolidated metadata"
            )
            table.write_zarr(zarr.storage.MemoryStore(store))
    finally:
        anndata.settings.zarr_write_format = previous_format
    return {name: data.to_bytes() for name, data in store.items()}


def read_table(path: Path) -> Any:
    """The AnnData at `path`. Raises CorruptError if there is none."""
    import anndata

    if not (path / "zarr.json").exists():
        raise CorruptError(f"{path} holds no table yet: run the same command again, or `tile-engine map OUT`.")
    if isinstance(path, ObjectPath):
        with tempfile.TemporaryDirectory(prefix="tile-engine-table-") as folder:
            here = Path(folder) / path.name
            path.download(here)
            return anndata.read_zarr(here)
    return anndata.read_zarr(path)
