"""DICOM deflated: the size of a deflated data set, measured before pydicom unpacks it as a whole.

What pydicom would unpack is asked of pydicom's own parts: another reading of the meta information could be led to another
transfer syntax, or to another beginning of the packed bytes.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

from ...errors import SlideError

MAX_DEFLATED_BYTES = 2**29
"""Bytes of a deflated data set, unpacked; libraries unpack it as a whole."""
MAX_META_BYTES = 2**20
"""Bytes of a file within which its meta information ends."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_FIRST_BYTES, _PIECE_BYTES = 2**12, 2**20
_MAGIC_END = 132


def check_deflated(file: BinaryIO, name: str) -> None:
    """Unpack a deflated data set piece by piece, and keep nothing; `file` is at its beginning behind it.

    Raises SlideError: E_BOMB for a data set that is too large, E_DICOM for endless meta information; and what pydicom and zlib
    raise for damaged bytes.
    """
    for length in (_FIRST_BYTES, MAX_META_BYTES):
        file.seek(0)
        head = io.BytesIO(file.read(length))
        try:
            syntax = _syntax(head)
        except (EOFError, struct.error):  # an element is cut by the end of what was read
            if length == MAX_META_BYTES:
                raise
            continue
        if head.tell() < length:
            break
    else:
        raise SlideError(
            f"{name}: its meta information does not end within {MAX_META_BYTES} bytes; it is damaged. Export it again.",
            "E_DICOM",
        )
    file.seek(0)
    if syntax == _DEFLATED:
        file.seek(head.tell())
        _check_size(file, name)
        file.seek(0)


def _syntax(head: BinaryIO) -> str:
    """The transfer syntax that pydicom takes; `head` is where it takes the data set to begin. Empty for what it refuses."""
    from pydicom.filereader import _read_command_set_elements, _read_file_meta_info, read_preamble

    if head.read(_MAGIC_END)[128:] != b"DICM":
        return ""
    head.seek(0)
    read_preamble(head, force=False)
    syntax = _read_file_meta_info(head).get("TransferSyntaxUID")
    _read_command_set_elements(head)
    return str(syntax or "")


def _check_size(file: BinaryIO, name: str) -> None:
    stream, count = zlib.decompressobj(-15), 0
    while packed := stream.unconsumed_tail or file.read(_PIECE_BYTES):
        count += len(stream.decompress(packed, _PIECE_BYTES))
        if count > MAX_DEFLATED_BYTES:
            raise SlideError(
                f"{name}: its deflated elements unpack to more than {MAX_DEFLATED_BYTES} bytes; a small file may be a "
                "decompression bomb. Write it without deflation.",
                "E_BOMB",
            )
        if stream.eof:
            return
