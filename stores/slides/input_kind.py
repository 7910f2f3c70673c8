"""Slides as a kind of input: files that are slides, by their content on disks, and files that belong together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from ...errors import SlideError
from ..lists.sheet import LIST_SUFFIXES
from ..remote import ObjectPath
from .companions import companions
from .file_head import head_of, kind_of
from .walk import InputKind, Seen, named_like

_SLIDE_CONTENTS = frozenset(
    {"TIFF", "PNG", "JPEG", "JPEG 2000", "WebP", "BMP", "DICOM", "Zeiss CZI", "Philips iSyntax"}
)
SLIDE_SUFFIXES = frozenset({
    ".svs", ".svslide", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".czi", ".tif", ".tiff", ".btf", ".tf2", ".tf8",
    ".qptiff", ".isyntax", ".i2syntax", ".vsi",
    ".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".jpx", ".webp", ".bmp",
})  # fmt: skip
"""Suffixes of slides: a file with one is always an entry, and is rejected with a reason if it holds no slide."""


def _content(file: Path) -> str:
    return kind_of(head_of(file))


def why_no_input(file: Path, kind: InputKind, kinds: Collection[str], content: Callable[[Path], str] = _content) -> str:
    """Why a file is no input of a kind with contents `kinds`; empty for an input, and for a file with its suffix.

    In an object store names decide: reading the content of each object would cost a request.
    """
    if named_like(kind.suffixes, file):
        return ""
    if isinstance(file, ObjectPath):
        return f"is not named like a {kind.word}"
    if file.name.upper() == "DICOMDIR":
        return "is an index of DICOM files"
    try:
        found = content(file)
    except SlideError as error:
        return "is empty" if error.code == "E_EMPTY" else "cannot be read"
    return "" if found in kinds else f"is no {kind.word} but {found}"


def _gather(files: Sequence[Path]) -> Iterator[Seen]:
    owned = companions(files)
    for file in files:
        yield Seen(
            file,
            f"is part of {owned[file.name]}"
            if file.name in owned
            else why_no_input(file, SLIDE_INPUT, _SLIDE_CONTENTS),
        )


def _closed(name: str, siblings: Collection[str], children: Collection[str]) -> str:
    for owner in (f"{name}.mrxs", f"{name}.MRXS"):
        if owner in siblings:
            return f"is part of {owner}"
    if name.startswith("_") and name.endswith("_"):
        for owner in (f"{name[1:-1]}.vsi", f"{name[1:-1]}.VSI"):
            if owner in siblings:
                return f"is part of {owner}"
    return "is part of an .mrxs file that is not here" if "Slidedat.ini" in children else ""


def _expand(path: Path) -> Iterator[Seen]:
    yield Seen(path)


SLIDE_INPUT = InputKind(
    word="slide",
    suffixes=SLIDE_SUFFIXES,
    gather=_gather,
    expand=_expand,
    closed=_closed,
    lists=LIST_SUFFIXES,
    roles=frozenset({"path", "subject", "site", "mpp"}),
)
