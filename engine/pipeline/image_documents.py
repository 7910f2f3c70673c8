"""image_documents: documents of a run that say of its images what each is, which were rejected, and what of them is masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import TypeAdapter

from ...stores.folder import Folder
from .documents import Document
from .record import ImageRecord, QuarantinedTile, Rejection
from .validated import validated

_images = TypeAdapter(dict[str, ImageRecord])
_rejected = TypeAdapter(dict[str, Rejection])
_quarantined = TypeAdapter(dict[str, tuple[QuarantinedTile, ...]])


class RejectedPictures(Document):
    """rejected_pictures.json: what was found of rejected files, which no later report opens again."""

    found: dict[str, dict[Literal["picture", "why"], str]]
    """By the digest of kind, path, part and fingerprint: the picture as a `data:` URL, or why there is none."""


def read_images(folder: Folder) -> dict[str, ImageRecord]:
    """slides.json: id -> record of every image that could be opened."""
    raw = folder.read("slides")
    return validated(folder, "slides", lambda: _images.validate_python(raw))


def write_images(folder: Folder, images: Mapping[str, ImageRecord]) -> None:
    folder.write("slides", _images.dump_python(dict(images), mode="json"))


def read_rejected(folder: Folder) -> dict[str, Rejection]:
    """rejected.json: id -> rejection; {} where no image was rejected."""
    raw = folder.read("rejected")
    return validated(folder, "rejected", lambda: _rejected.validate_python(raw))


def write_rejected(folder: Folder, rejected: Mapping[str, Rejection]) -> None:
    folder.write("rejected", _rejected.dump_python(dict(rejected), mode="json"))


def rejected_rows(folder: Folder) -> list[tuple[str, str, str]]:
    """Name, reason code and message of every rejected image."""
    return [(r.name, r.code, r.message) for r in read_rejected(folder).values()]


def read_quarantined(folder: Folder) -> dict[str, tuple[QuarantinedTile, ...]]:
    """quarantined.json: id -> masked tiles of the image; {} where there are none."""
    raw = folder.read("quarantined")
    return validated(folder, "quarantined", lambda: _quarantined.validate_python(raw))


def write_quarantined(folder: Folder, quarantined: Mapping[str, tuple[QuarantinedTile, ...]]) -> None:
    folder.write("quarantined", _quarantined.dump_python(dict(quarantined), mode="json"))
