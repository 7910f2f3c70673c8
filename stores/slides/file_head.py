"""File head: format of a file from its first bytes; names are not trusted."""

from __future__ import annotations

import stat
from pathlib import Path

from ...errors import SlideError

HEAD_BYTES = 4096
"""Number of first bytes that decide the format."""

_MAGIC = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "zip archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"ZISRAWFILE", "Zeiss CZI"),
    (b"\x93NUMPY", "npy"),
    (b"SQLite format 3", "SQLite"),
)

_NAMES = {
    "TIFF": (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".bif", ".btf", ".tf2", ".tf8", ".qptiff", ".svslide", ".vsi"),
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".mrxs"),
    "JPEG 2000": (".jp2", ".j2k", ".jpx", ".jpc", ".j2c"),
    "BMP": (".bmp",),
    "DICOM": (".dcm", ".dicom", ""),
    "Zeiss CZI": (".czi",),
    "Philips iSyntax": (".isyntax", ".i2syntax"),
}


def head_of(path: Path) -> bytes:
    """The first bytes of a file; empty for a folder.

    Raises SlideError if there is nothing to read: E_MISSING, E_EMPTY, E_UNREADABLE.
    """
    if path.is_dir():
        return b""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise SlideError(f"{path.name}: is neither a file nor a folder.", "E_NOT_A_SLIDE")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise SlideError(f"{path.name}: there is no such file; it was moved or never copied.", "E_MISSING") from error
    except OSError as error:
        raise SlideError(
            f"{path.name}: cannot be read ({error.strerror}); check its permissions and the disk.", "E_UNREADABLE"
        ) from error
    if not head:
        raise SlideError(
            f"{path.name}: the file has 0 bytes, so a copy was cut short; copy it again from the scanner.", "E_EMPTY"
        )
    return head


def kind_of(head: bytes) -> str:
    """Format of the first bytes, in words: "TIFF", "JPEG", "HTML page", "text" ... or "unknown binary data".

    >>> kind_of(b"II*" + bytes(5)), kind_of(b"<!DOCTYPE html><html>"), kind_of(b"no slide")
    ('TIFF', 'HTML page', 'text')
    """
    if head[128:132] == b"DICM":  # before the others: its first 128 bytes may look like a TIFF
        return "DICOM"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if start.startswith(b"<dataobject") and b"dpufsimport" in start:
        return "Philips iSyntax"
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "HTML page"
    if start.startswith(b"<?xml") or start.startswith(b"<"):
        return "XML text"
    if head and not any(byte < 9 or 13 < byte < 32 for byte in head):
        return "text"
    return "unknown binary data"


def misnamed(path: Path, kind: str) -> str:
    """A note if suffix and content of a file disagree; else empty."""
    suffix = path.suffix.lower()
    if kind not in _NAMES or suffix in _NAMES[kind]:
        return ""
    return f"content is {kind} though the name says {suffix or 'nothing'}; content decides"


_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mgz", ".mgh", ".mha")
"""Endings of volumes, which may stand in a list of slides."""


def not_a_slide(path: Path, head: bytes) -> SlideError:
    """The error for a file that no reader accepts."""
    kind = kind_of(head)
    if kind == "TIFF":
        return SlideError(
            f"{path.name}: starts like a TIFF but cannot be read as one; it is damaged or cut short. Copy it again.",
            "E_UNREADABLE",
        )
    if kind == "DICOM":
        return SlideError(
            f"{path.name}: is DICOM but no whole-slide image (other modalities are volumes or films, not slides).",
            "E_NOT_A_SLIDE",
        )
    if path.name.lower().endswith(_VOLUMES):
        return SlideError(
            f"{path.name}: has the name of a volume, and is no slide: give it to --volumes.", "E_NOT_A_SLIDE"
        )
    return SlideError(
        f"{path.name}: is no slide: its first bytes are {kind}. "
        "Check where it came from; an error page or a placeholder may have been saved under a slide's name.",
        "E_NOT_A_SLIDE",
    )
