"""Sidecars: the documents of BIDS beside exported volumes: sources and units, the table of labels, the data set itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import CorruptError, SettingsError
from ...stores.files import read_json, write_durably
from ...stores.image import attributes_of
from ...stores.remote import ObjectPath
from ...version import VERSION
from ..pipeline.documents import RunDocument
from ..pipeline.record import ImageRecord
from ..show.palette import hexadecimal
from .fields import Field

BIDS_VERSION = "1.10.0"
NAME = "tile-engine"
DESCRIPTION = "dataset_description.json"
IGNORED = ".bidsignore"
IGNORED_FILES = "receipts/\nlock.json\n*_map.*\n*_image.*\n"
"""What validators of BIDS have no rule for."""
Labels = Sequence[tuple[int, str, str]]
"""(value, name, colour as #rrggbb or n/a)"""


def sidecar(run: RunDocument, field: Field, record: ImageRecord, grid: str) -> dict[str, Any]:
    """Sources and units of an exported field. Nothing of the source's header stands in it."""
    name = record.name.removesuffix(f"/{record.subimage}") if record.subimage else record.name
    source = f"bids:raw:{quote(name)}"
    value: dict[str, Any] = {
        "Description": f"{field.below} of tile-engine's run {run.command}",
        "Sources": [source],
        "SpatialReference": source,
        "Units": field.unit,
    }
    if record.subimage:
        value["SourcePart"] = record.subimage
    if grid:
        value["Resolution"] = "The layer's own grid, coarser than the source's."
    value["TileEngine"] = {"Version": VERSION, "Run": run.command}
    return value


def labels_of(field: Field, present: Sequence[int]) -> Labels:
    """Every label of a map: those that it states, with names and colours, and others that occur in it."""
    stated = attributes_of(field.path).get("ome", {}).get("image-label", {})
    try:
        names = {int(p["label-value"]): str(p.get("class", "")) for p in stated.get("properties", [])}
        colours = {int(c["label-value"]): hexadecimal(tuple(c["rgba"][:3])) for c in stated.get("colors", [])}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{field.path}: its names and colours are not what was written there ({error}).") from error
    values = sorted({*names, *colours, *present} - {0})
    return [(v, names.get(v) or f"{field.name} {v}", colours.get(v, "n/a")) for v in values]


def table_of(labels: Labels) -> bytes:
    """The table beside a label map: index, name, color."""
    lines = ["index\tname\tcolor", *(f"{value}\t{_cell(name)}\t{colour}" for value, name, colour in labels)]
    return ("\n".join(lines) + "\n").encode()


def _cell(text: str) -> str:
    """Text without the characters that end a cell or a line of a table."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def as_json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def check_dataset(folder: Path) -> None:
    """Raises SettingsError (E_FOREIGN) where the folder holds another program's data set."""
    path = folder / DESCRIPTION
    if (path.exists() or path.is_symlink()) and _ours(path) is None:
        raise SettingsError(
            f"{path} is not tile-engine's: derivatives of two programs would be mixed in one data set. Nothing was written. "
            "Choose another folder with --out.",
            "E_FOREIGN",
        )


def write_dataset(folder: Path, run: RunDocument) -> None:
    """Write the description of the data set. In one that exists, only what made it is renewed: authors, licence ... stay."""
    made = [{"Name": NAME, "Version": VERSION, "Description": f"run {run.command} on {run.variant}"}]
    path = folder / DESCRIPTION
    value = _ours(path) or {
        "Name": f"Results of tile-engine's run {run.command}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": made,
        "DatasetLinks": {"raw": _link(folder, run.input)},
    }
    _write_changed(path, as_json(value | {"GeneratedBy": made}))
    if not (folder / IGNORED).exists():
        _write_changed(folder / IGNORED, IGNORED_FILES.encode())


def _write_changed(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_durably(path, data)


def _ours(path: Path) -> dict[str, Any] | None:
    """The description if tile-engine wrote it; None if there is none, or another one."""
    if path.is_symlink():
        return None
    try:
        value = read_json(path)
    except (FileNotFoundError, CorruptError):
        return None
    made = value.get("GeneratedBy") if isinstance(value, dict) else None
    first = made[0] if isinstance(made, list) and made else None
    return value if isinstance(first, dict) and first.get("Name") == NAME else None


def _link(folder: Path, source: str) -> str:
    """The source folder as BIDS links it: relative, or its address in an object store."""
    is_local = "://" not in source and not isinstance(folder, ObjectPath)
    return Path(os.path.relpath(source, folder)).as_posix() if is_local else source
