"""zarr_v2: a stored image as OME-Zarr 0.4: zarr v2, one file a chunk, axes t, c, z, y, x, as bioformats2raw writes it.

Programs on Java (Bio-Formats, QuPath, Fiji) and ilastik read this version, and some of them these five axes alone.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .frame import Array, Box
from .image import ATTRIBUTES_KEY, StoredImage, attributes_of
from .ngff import TRANSFORMS, multiscales

VERSION = "0.4"
COMPRESSOR = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
"""bioformats2raw's default: every reader's blosc has it."""


def write_v2(path: Path, image: StoredImage, name: str) -> None:
    """Write an image or label and its metadata into a new folder, shard by shard in memory.

    The affine of an oblique volume stays in our own attributes, as this version of the standard has no rotation either.
    """
    attributes = attributes_of(image.path)
    ome, ours = attributes["ome"], attributes[ATTRIBUTES_KEY]
    more = {"omero": ome["omero"]} if "omero" in ome else {}
    if "image-label" in ome:
        more = {"image-label": ome["image-label"] | {"version": VERSION}}
    if TRANSFORMS in ours:
        more[ATTRIBUTES_KEY] = {TRANSFORMS: ours[TRANSFORMS]}
    made = {key: value for key, value in ome["multiscales"][0].items() if key in ("type", "metadata")}
    scales = multiscales(image.frames, name=name, reference=ours["reference"])[0] | made
    write_group(path, {"multiscales": [_five_axes(scales)], **more})
    for level in range(len(image.frames)):
        _write_level(path / str(level), image, level)


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Write the metadata of a group into a new folder."""
    path.mkdir(parents=True)
    _write_json(path / ".zgroup", {"zarr_format": 2})
    _write_json(path / ".zattrs", attributes)


def consolidate(path: Path, *, zarr_format: Literal[2, 3]) -> None:
    """Copy the metadata of all groups and arrays below a finished store into its root, for readers over a network.

    Version 3 of the specification has no such document; zarr-python writes and reads it, and warns of that.
    """
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, message="Consolidated metadata")
        zarr.consolidate_metadata(str(path), zarr_format=zarr_format)


def _five_axes(image: dict[str, Any]) -> dict[str, Any]:
    """`multiscales` of axes c, (z,) y, x with t, and with z where there is none."""
    axes = [{k: v for k, v in axis.items() if k != "orientation"} for axis in image["axes"]]
    flat = len(axes) == 3
    planes = [{"name": "z", "type": "space", "unit": "micrometer"}] if flat else []

    def five(transform: dict[str, Any]) -> dict[str, Any]:
        kind = transform["type"]
        fill = 1.0 if kind == "scale" else 0.0
        channel, *space = transform[kind]
        return {"type": kind, kind: [fill, channel, *([fill] if flat else []), *space]}

    datasets = [
        {**one, "coordinateTransformations": list(map(five, one["coordinateTransformations"]))}
        for one in image["datasets"]
    ]
    return {
        **image,
        "version": VERSION,
        "axes": [{"name": "t", "type": "time"}, axes[0], *planes, *axes[1:]],
        "datasets": datasets,
    }


def _write_level(path: Path, image: StoredImage, level: int) -> None:
    frame, dtype = image.frames[level], np.dtype(image.dtype).newbyteorder("<")
    flat = (1,) * (3 - len(frame.shape))
    chunk = image.tiles[level]
    path.mkdir()
    array = {
        "zarr_format": 2,
        "shape": [1, image.channels, *flat, *frame.shape],
        "chunks": [1, 1, *flat, *chunk],
        "dtype": dtype.str,
        "compressor": COMPRESSOR,
        "fill_value": image.levels[level].spec.fill,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }
    _write_json(path / ".zarray", array)
    for shard in frame.box.cut(image.shard(level)):
        pixels = image.read(shard, level).astype(dtype, copy=False)
        for box in shard.cut(chunk):
            part = pixels[(slice(None), *box.shift([-a for a in shard.start]).slices)]
            _write_chunk(path, part, box, chunk, flat=len(flat))


def _write_chunk(path: Path, part: Array, box: Box, chunk: tuple[int, ...], *, flat: int) -> None:
    """Write the chunk of each channel: whole ones, as v2 has no smaller ones at edges."""
    from numcodecs import blosc

    blosc.use_threads = False
    part = np.pad(part, [(0, 0), *((0, c - n) for c, n in zip(chunk, box.shape, strict=True))], mode="edge")
    index = [str(a // c) for a, c in zip(box.start, chunk, strict=True)]
    for channel, values in enumerate(part):
        file = path.joinpath("0", str(channel), *(["0"] * flat), *index)
        file.parent.mkdir(parents=True, exist_ok=True)
        packed = blosc.compress(np.ascontiguousarray(values), b"lz4", 5, 1, 0, values.dtype.itemsize)
        file.write_bytes(packed)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
