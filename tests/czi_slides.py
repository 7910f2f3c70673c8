"""CZI files made on the spot: uncompressed mosaics of one or several channels."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

Image = np.ndarray[Any, Any]
TILE = 64
_TYPES = {("uint8", 1): 0, ("uint16", 1): 1, ("uint8", 3): 3}


def write_czi(path: Path, planes: list[Image], um: float = 0.5) -> None:
    """Write planes (y, x), one a channel, or one plane (y, x, RGB), cut into tiles."""
    out, entries = bytearray(_segment(b"ZISRAWFILE", bytes(512))), []
    for channel, plane in enumerate(planes):
        pixels = plane[..., ::-1] if plane.ndim == 3 else plane[..., None]
        for y in range(0, plane.shape[0], TILE):
            for x in range(0, plane.shape[1], TILE):
                tile = np.ascontiguousarray(pixels[y : y + TILE, x : x + TILE])
                kind = _TYPES[str(tile.dtype), tile.shape[2]]
                entry = _entry(kind, len(out), {"X": (x, tile.shape[1]), "Y": (y, tile.shape[0]), "C": (channel, 1)})
                entries.append(entry)
                head = (struct.pack("<iiq", 0, 0, tile.nbytes) + entry).ljust(256, b"\0")
                out += _segment(b"ZISRAWSUBBLOCK", head + tile.tobytes())
    directory = len(out)
    out += _segment(b"ZISRAWDIRECTORY", struct.pack("<i", len(entries)).ljust(128, b"\0") + b"".join(entries))
    attachments = len(out)
    out += _segment(b"ZISRAWATTDIR", bytes(256))
    metadata = len(out)
    xml = _metadata(planes, um).encode()
    out += _segment(b"ZISRAWMETADATA", struct.pack("<ii", len(xml), 0).ljust(256, b"\0") + xml)
    struct.pack_into("<ii8x16x16xiqqiq", out, 32, 1, 0, 0, directory, metadata, 0, attachments)
    path.write_bytes(out)


def _segment(name: bytes, data: bytes) -> bytes:
    room = -(-len(data) // 32) * 32
    return name.ljust(16, b"\0") + struct.pack("<qq", room, len(data)) + data.ljust(room, b"\0")


def _entry(kind: int, position: int, dimensions: dict[str, tuple[int, int]]) -> bytes:
    head = b"DV" + struct.pack("<iqiiB5xi", kind, position, 0, 0, 0, len(dimensions))
    return head + b"".join(
        struct.pack("<4siifi", name.encode(), start, size, float(start), size)
        for name, (start, size) in dimensions.items()
    )


def _metadata(planes: list[Image], um: float) -> str:
    height, width = planes[0].shape[:2]
    kind = "Bgr24" if planes[0].ndim == 3 else f"Gray{8 * planes[0].itemsize}"
    channels = "".join(
        f'<Channel Id="Channel:{i}" Name="dye {i}"><PixelType>{kind}</PixelType></Channel>' for i in range(len(planes))
    )
    axes = "".join(f'<Distance Id="{axis}"><Value>{um * 1e-6}</Value></Distance>' for axis in "XY")
    return (
        f"<ImageDocument><Metadata><Information><Image><PixelType>{kind}</PixelType><SizeX>{width}</SizeX><SizeY>{height}</SizeY>"
        f"<SizeC>{len(planes)}</SizeC><Dimensions><Channels>{channels}</Channels></Dimensions></Image></Information>"
        f"<Scaling><Items>{axes}</Items></Scaling></Metadata></ImageDocument>"
    )
