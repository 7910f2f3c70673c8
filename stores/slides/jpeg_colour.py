"""JPEG colour: whether a stream says that it holds YCbCr, in spite of the tag of the file around it."""

from __future__ import annotations


def says_ycbcr(data: bytes) -> bool:
    """Whether a JPEG of three components holds YCbCr: by a JFIF marker, by Adobe's, or since its colours are subsampled.

    Streams in a TIFF may have no marker; then its tag is right, unless the components have the numbers that JFIF prescribes and
    differ in size: nobody subsamples RGB.

    >>> says_ycbcr(bytes.fromhex("ffd8ffe000104a464946"))
    True
    >>> says_ycbcr(bytes.fromhex("ffd8ffc000110800100010030122000211010311 01"))
    True
    >>> says_ycbcr(bytes.fromhex("ffd8ffc000110800100010030111000211010311 01"))
    False
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xE0 and body.startswith(b"JFIF"):
            return True
        if marker == 0xEE and body.startswith(b"Adobe") and len(body) > 11:
            return body[11] == 1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = [body[6 + 3 * i : 8 + 3 * i] for i in range(3)]
            return (
                body[5:6] == b"\3"
                and [c[:1] for c in components] == [b"\1", b"\2", b"\3"]
                and len({c[1:] for c in components}) > 1
            )
        if marker == 0xDA:
            return False
        at += 2 if 0xD0 <= marker <= 0xD8 else 2 + length
    return False
