"""sent_names: what a page to send calls images: by their files, without the folders, which may have names of patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..pipeline.record import ImageRecord


def sent_names(images: Mapping[str, ImageRecord]) -> dict[str, str]:
    """Id -> the name of the image's file, and the name inside the file where it holds several images.

    Images that would have one name have the folders below the input before it.
    """
    files = {one: _file_name(record) for one, record in images.items()}
    uses = Counter(files.values())
    return {one: name if uses[name] == 1 else images[one].name for one, name in files.items()}


def with_folders(images: Mapping[str, ImageRecord], names: Mapping[str, str]) -> list[str]:
    """Those of the names that have folders in them."""
    return [name for one, name in names.items() if name != _file_name(images[one])]


def _file_name(record: ImageRecord) -> str:
    inside = f"/{record.subimage}" if record.subimage else ""
    return record.name.removesuffix(inside).rpartition("/")[2] + inside
