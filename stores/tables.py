"""Tables: AnnData in a zarr store, written aside and renamed, so that a table is whole or absent."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from ..errors import CorruptError
from .array import Written
from .files import checksum
from .remote import ObjectPath


def write_table(path: Path, table: Any) -> list[Written]:
    """Write an AnnData as zarr v3; replaces what is there in one rename. Returns its files, sorted."""
    if isinstance(path, ObjectPath):
        return _upload_table(path, table)
    import anndata
    import zarr

    aside = path.with_name(f".{path.name}.aside")
    old = path.with_name(f".{path.name}.old")
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = anndata.settings.zarr_write_format
    anndata.settings.zarr_write_format = 3
    try:
        with zarr.config.set({"async.concurrency": 1}), warnings.catch_warnings():
            # anndata chooses its own chunks and consolidates its metadata; zarr has opinions on both.
            warnings.filterwarnings(
                "ignore", category=UserWarning, message="zarr v3 autosharding|Consolidated metadata"
            )
            table.write_zarr(aside)
    finally:
        anndata.settings.zarr_write_format = before
    if path.exists():
        path.rename(old)
    aside.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return [Written(p, p.stat().st_size, checksum(p.read_bytes())) for p in files]


def _upload_table(path: ObjectPath, table: Any) -> list[Written]:
    """Written on this machine first; the root's metadata goes first of the old table and comes last of the new one."""
    root = path / "zarr.json"
    root.unlink(missing_ok=True)
    path.remove_tree()
    with tempfile.TemporaryDirectory(prefix="tile-engine-table-") as folder:
        here = Path(folder) / path.name
        files = write_table(here, table)
        there = [Written(path / file.path.relative_to(here).as_posix(), file.size, file.crc32c) for file in files]
        for file, target in sorted(zip(files, there, strict=True), key=lambda pair: pair[1].path == root):
            target.path.write_bytes(file.path.read_bytes())
    return there


def read_table(path: Path) -> Any:
    """The AnnData at `path`. Raises CorruptError where there is none."""
    import anndata

    if not (path / "zarr.json").exists():
        raise CorruptError(f"{path} holds no table yet: run the same command again, or `tile-engine map OUT`.")
    if isinstance(path, ObjectPath):
        with tempfile.TemporaryDirectory(prefix="tile-engine-table-") as folder:
            here = Path(folder) / path.name
            path.download(here)
            return anndata.read_zarr(here)
    return anndata.read_zarr(path)
