"""ome_tiff: a stored image as a pyramidal, tiled OME-TIFF, read by rows of tiles."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .frame import Array, Box
from .image import StoredImage

TILE = 256
_NAMESPACE = uuid.UUID("2d1a6a3e-5b7c-5c0e-9a57-6f1c1f5a1c44")
"""Namespace of the UUIDs of OME metadata: equal keys and names give equal files."""


def write_ome_tiff(path: Path, image: StoredImage, *, name: str, key: str, channels: Sequence[str] = ()) -> None:
    """Write an image (y, x) with its levels as SubIFDs: RGB for three 8-bit channels, else a page for each channel.

    `key` stands for its contents: files of other contents have other UUIDs.
    """
    import tifffile

    rgb = image.channels == 3 and image.dtype == "uint8"
    metadata: dict[str, Any] = {
        "axes": "YXS" if rgb else "CYX" if image.channels > 1 else "YX",
        "Name": name,
        "UUID": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{key}/{name}')}",
    }
    for axis, spacing in zip("YX", image.frames[0].spacing, strict=True):
        metadata |= {f"PhysicalSize{axis}": spacing, f"PhysicalSize{axis}Unit": "µm"}
    if channels and not rgb:
        metadata["Channel"] = {"Name": list(channels)}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        for level, frame in enumerate(image.frames):
            lead, last = ((), (3,)) if rgb else ((image.channels,) if image.channels > 1 else (), ())
            file.write(
                _tiles(image, level, rgb=rgb),
                shape=(*lead, *frame.shape, *last),
                dtype=np.dtype(image.dtype),
                tile=(TILE, TILE),
                photometric="rgb" if rgb else "minisblack",
                planarconfig="contig" if rgb else None,
                compression="zlib",
                resolution=(1e4 / frame.spacing[1], 1e4 / frame.spacing[0]),
                resolutionunit="CENTIMETER",
                software="tile-engine" if level == 0 else None,
                metadata=metadata if level == 0 else None,
                subfiletype=1 if level else 0,
                subifds=len(image.frames) - 1 if level == 0 else None,
                maxworkers=1,
            )


def _tiles(image: StoredImage, level: int, *, rgb: bool) -> Iterator[Array]:
    """Tiles in the file's order: all of a channel, row by row; one row of tiles of one channel, or of RGB, is in memory,
    which is a row of chunks.

    Chunks hold all channels, so those of C pages are decoded C times: less work than compressing them once.
    """
    frame, array = image.frames[level], image.levels[level]
    has_channels = array.spec.names[0] == "c"
    for first, last in [(0, 3)] if rgb else [(c, c + 1) for c in range(image.channels)]:
        for strip in frame.box.cut((TILE, frame.shape[1])):
            box = Box((first, *strip.start), (last, *strip.stop)) if has_channels else strip
            pixels = array.read(box).reshape(-1, *strip.shape)
            for box in Box((0, 0), strip.shape).cut((TILE, TILE)):
                tile = pixels[(slice(None), *box.slices)]
                tile = np.pad(tile, [(0, 0), *((0, TILE - n) for n in box.shape)], mode="edge")
                yield np.ascontiguousarray(np.moveaxis(tile, 0, -1)) if rgb else tile[0]
