"""Tables: AnnData in zarr stores; the root metadata is written last, so that a table is whole or absent."""

from __future__ import annotations

import json
import math
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CorruptError
from .array import Written
from .array_files import as_written
from .files import bytes_below, crc32, read_json, write_whole
from .ours import ANNDATA_KEYS, anndata_keys, held, named, prune
from .remote import ObjectPath
from .zarr_limits import LARGEST_CELL, check_limits

MAX_UNSTORED_BYTES = 2**31
"""Bytes of an array that may be its fill value alone, without any stored chunk."""
MAX_EXPANSION = 2**12
"""Bytes that a stored byte may become: more than columns of one value are packed by."""


def write_table(path: Path, table: Any) -> list[Written]:
    """Write an AnnData as zarr v3 and replace an old one; returns its files, sorted.

    The root metadata of the old table is removed first, that of the new one is written last: a reader finds a whole table
    or none. Foreign files in the folder stay.
    """
    files = sorted(encoded_table(table).items())
    root = path / "zarr.json"
    root.unlink(missing_ok=True)
    prune(path, named(anndata_keys("|".join(map(re.escape, ["_index", *table.obs.columns])))))
    for name, data in sorted(files, key=lambda file: file[0] == root.name):
        write_whole(path / name, data)
    return [Written(path / name, len(data), crc32(data)) for name, data in files]


def encoded_table(table: Any, attributes: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Path below the table -> bytes, of an AnnData as zarr v3; `attributes` are added to those of its group."""
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
    files = {name: data.to_bytes() for name, data in store.items()}
    if attributes:
        group = json.loads(files["zarr.json"])
        group["attributes"] |= attributes
        files["zarr.json"] = json.dumps(group).encode()
    return files


def read_table(path: Path) -> Any:
    """The AnnData at `path`. Raises CorruptError if there is none, or if it is damaged."""
    if not (path / "zarr.json").exists():
        raise CorruptError(
            f"{path} holds no table: the step that writes it is not done yet (run the same command again, or `tile-engine map "
            "OUT`), or the table was removed."
        )
    if isinstance(path, ObjectPath):
        with tempfile.TemporaryDirectory(prefix="tile-engine-table-") as folder:
            here = Path(folder) / path.name
            path.download(here)
            return _decoded(here, path)
    return _decoded(path, path)


def _decoded(here: Path, path: Path) -> Any:
    """The table in a folder on this machine's disk; errors name its `path`."""
    import anndata

    from .bounded_zarr import bounded_tables

    with as_written(path), bounded_tables():
        for file in held(here, named(ANNDATA_KEYS)):  # foreign files below a table are not read
            if file.name == "zarr.json":
                _check_array(file)
        return anndata.read_zarr(here)


def _check_array(document: Path) -> None:
    """Raise ValueError for an array of a table that states far more than its files hold."""
    meta = read_json(document)
    if not isinstance(meta, dict) or meta.get("node_type") != "array":
        return
    check_limits(meta)
    codecs = [codec["name"] for codec in meta["codecs"]]
    if codecs[-1] != "zstd":  # as it is written: what bounds texts stands there
        raise ValueError(f"{document.parent.name} is packed by {codecs}")
    stated = math.prod(meta["shape"]) * LARGEST_CELL
    stored = bytes_below(document.parent)
    if stated > MAX_UNSTORED_BYTES + MAX_EXPANSION * stored:
        raise ValueError(f"{document.parent.name} states {stated} bytes, and {stored} are stored")
