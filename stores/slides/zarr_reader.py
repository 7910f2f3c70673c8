"""Zarr reader: an OME-Zarr image that someone else wrote, 0.4 on zarr v2 or 0.5 on zarr v3. Metadata is checked before use."""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box, Frame
from ..ngff import frames_of
from .pixels import Described
from .spacing import FILE, Stated

MAX_CHUNK = 2**30
"""Bytes of one chunk; 1 kB of metadata can claim any."""
MAX_SIDE = 2**31
MAX_LEVELS = 32
MAX_CHANNELS = 64
CODECS = frozenset({
    "blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "crc32", "crc32c",
    "adler32", "fletcher32", "packbits", "bytes", "transpose", "sharding_indexed", "numcodecs.blosc", "numcodecs.zstd",
    "numcodecs.zlib", "numcodecs.lz4", "numcodecs.shuffle", "numcodecs.delta", "numcodecs.bz2", "numcodecs.lzma",
    "numcodecs.gzip",
})  # fmt: skip
"""Codecs that only move bytes; anything that could run code (pickle and the like) is refused by not being here."""


METADATA = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
"""Files of which one at least lies in every zarr folder."""


def accepts(path: Path, head: bytes) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in sorted(METADATA))


def attributes_of(path: Path) -> dict[str, Any]:
    """A group's attributes as its metadata files have them; empty where there are none. Raises SlideError (E_NGFF)."""
    v3 = _json(path / "zarr.json")
    found = v3.get("attributes", {}) if v3 else _json(path / ".zattrs")
    return found if isinstance(found, dict) else {}


def holds_image(path: Path) -> bool:
    """Whether a folder is an OME-Zarr image (has multiscales)."""
    try:
        attributes = attributes_of(path)
    except SlideError:
        return False
    ome = attributes.get("ome", attributes)
    return isinstance(ome, dict) and bool(ome.get("multiscales"))


class ZarrPixels:
    """The first multiscale image of a group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not holds_image(path):
            raise SlideError(
                f"{path.name}: is a zarr folder without multiscales metadata, so nothing says which arrays are levels of "
                "an image; plates are read field by field. Give the folder of one image.",
                "E_NOT_A_SLIDE",
            )
        attributes = attributes_of(path)
        notes = []
        try:
            multiscales = attributes.get("ome", attributes)["multiscales"]
            names = [str(dataset["path"]) for dataset in multiscales[0]["datasets"]][:MAX_LEVELS]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._bad(f"its multiscales metadata lacks {error}") from error
        if not names:
            raise self._bad("its multiscales metadata lists no levels")
        if len(multiscales) > 1:
            notes.append(f"{len(multiscales)} multiscales; the first is read")
        self._arrays = [self._array(name) for name in names]
        axes, frames = frames_of(attributes, [array.shape for array in self._arrays])
        self._axes = axes
        first = self._arrays[0]
        if any(len(array.shape) != len(axes) for array in self._arrays):
            raise self._bad(f"its {len(axes)} axes do not fit its arrays of shapes {[a.shape for a in self._arrays]}")
        sizes = dict(zip(axes, first.shape, strict=True))
        if not {"y", "x"} <= set(axes) or set(axes) - set("tczyx"):
            raise self._bad(f"its axes are {axes}; y and x are needed, and t, c, z are all that is read beside them")
        if sizes.get("z", 1) > 1:
            raise SlideError(
                f"{path.name}: has {sizes['z']} planes along z: it is a volume, not a slide. Give it to a run on volumes.",
                "E_IS_VOLUME",
            )
        if sizes.get("t", 1) > 1:
            notes.append(f"{sizes['t']} time points; number 0 is read")
        channels = sizes.get("c", 1)
        if channels > MAX_CHANNELS or any(
            dict(zip(axes, a.shape, strict=True)).get("c", 1) != channels or a.dtype != first.dtype
            for a in self._arrays
        ):
            raise SlideError(
                f"{path.name}: levels need the same pixels and at most {MAX_CHANNELS} channels; found shapes "
                f"{[a.shape for a in self._arrays]} of {[a.dtype.name for a in self._arrays]}.",
                "E_UNSUPPORTED_PIXELS",
            )
        yx = [frame.axes.index("y") for frame in frames], [frame.axes.index("x") for frame in frames]
        flat = tuple(_plane(frame, (y, x)) for frame, y, x in zip(frames, *yx, strict=True))
        spacing = flat[0].spacing
        rgb = channels == 3 and first.dtype == np.uint8
        space = [a for a in _axis_dicts(multiscales[0]) if a.get("name") in ("y", "x")]
        scaled = any("unit" in a for a in space) or spacing != (1.0, 1.0)
        self._described = Described(
            reader="ome-zarr",
            shapes=tuple((frame.shape[0], frame.shape[1]) for frame in flat),
            factors=tuple((f.spacing[0] / spacing[0], f.spacing[1] / spacing[1]) for f in flat),
            channels=channels,
            dtype=first.dtype.name,
            background=int(np.iinfo(first.dtype).max) if rgb else 0,
            stated=(Stated(spacing[0], spacing[1], FILE),) if scaled else (),
            notes=tuple(notes),
            tiles=tuple(self._tile(array) for array in self._arrays),
            frames=flat,
        )

    def _bad(self, why: str) -> SlideError:
        return SlideError(f"{self._path.name}: {why}. Check the store with an OME-NGFF validator.", "E_NGFF")

    def _tile(self, array: Any) -> tuple[int, int]:
        height, width = (int(array.chunks[self._axes.index(axis)]) for axis in "yx")
        return height, width

    def _array(self, name: str) -> Any:
        """Open one level after its metadata has been found harmless."""
        parts = PurePosixPath(name).parts
        folder = self._path.joinpath(*parts)
        if (
            ".." in parts
            or PurePosixPath(name).is_absolute()
            or not folder.resolve().is_relative_to(self._path.resolve())
        ):
            raise SlideError(f"{self._path.name}: its level {name!r} lies outside the folder; refused.", "E_PATH")
        meta = _json(folder / "zarr.json") or _json(folder / ".zarray")
        if not meta:
            raise SlideError(
                f"{self._path.name}: its level {name!r} has no array metadata; part of the folder was not copied.",
                "E_MISSING_COMPANION",
            )
        self._check(name, meta)
        import zarr

        try:
            return zarr.open_array(folder, mode="r")
        except Exception as error:  # zarr raises whatever odd metadata leads it to
            raise self._bad(f"level {name!r} cannot be opened ({type(error).__name__}: {error})") from error

    def _check(self, name: str, meta: dict[str, Any]) -> None:
        kind = str(meta.get("data_type", meta.get("dtype")))
        if kind not in ("uint8", "|u1", "<u1", ">u1", "uint16", "<u2", ">u2"):
            raise SlideError(
                f"{self._path.name}: level {name!r} has pixels of type {kind}; whole numbers of 8 or 16 bits without a "
                "sign are read.",
                "E_UNSUPPORTED_PIXELS",
            )
        foreign = sorted({codec for codec in _codecs(meta) if codec not in CODECS})
        if foreign:
            raise SlideError(
                f"{self._path.name}: level {name!r} is packed with {', '.join(foreign)}, which is not among the codecs "
                "that are trusted. Rewrite it with blosc or zstd.",
                "E_UNSUPPORTED_PIXELS",
            )
        shape, chunk = meta.get("shape", []), _chunk(meta)
        sizes = [*shape, *chunk]
        if not shape or len(shape) != len(chunk) or any(not isinstance(n, int) or not 0 < n < MAX_SIDE for n in sizes):
            raise SlideError(
                f"{self._path.name}: level {name!r} claims shape {shape} in chunks of {chunk}.", "E_MALFORMED"
            )
        if math.prod(chunk) * 2 > MAX_CHUNK:
            raise SlideError(
                f"{self._path.name}: level {name!r} has chunks of {chunk}, more than {MAX_CHUNK} bytes each; it cannot "
                "be read within bounded memory. Rewrite it in smaller chunks.",
                "E_BOMB",
            )

    @property
    def described(self) -> Described:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        where = {"t": 0, "z": 0, "c": slice(None), "y": box.slices[0], "x": box.slices[1]}
        try:
            pixels = np.asarray(self._arrays[level][tuple(where[axis] for axis in self._axes)])
        except Exception as error:  # codecs raise whatever they like on damaged bytes
            raise TileError(
                f"{self._path.name}: level {level} cannot be read from {box.start} to {box.stop} (y, x) "
                f"({type(error).__name__}: {error})"
            ) from error
        kept = [axis for axis in self._axes if axis in "cyx"]
        if "c" not in kept:
            pixels, kept = pixels[None], ["c", *kept]
        return pixels.transpose([kept.index(axis) for axis in "cyx"])

    def close(self) -> None:
        """Nothing stays open."""


def _plane(frame: Frame, axes: tuple[int, int]) -> Frame:
    return Frame(
        ("y", "x"),
        tuple(frame.shape[i] for i in axes),
        tuple(frame.spacing[i] for i in axes),
        tuple(frame.origin[i] for i in axes),
    )


def _axis_dicts(image: dict[str, Any]) -> list[dict[str, Any]]:
    return [axis for axis in image.get("axes", []) if isinstance(axis, dict)]


def _json(path: Path) -> dict[str, Any]:
    """A small JSON object from disk; empty where there is no such file."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(2**24))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SlideError(f"{path.parent.name}/{path.name}: cannot be read ({error}).", "E_NGFF") from error
    return found if isinstance(found, dict) else {}


def _codecs(meta: dict[str, Any]) -> list[str]:
    """Names of all codecs of an array, those inside a shard too."""
    if "codecs" not in meta:
        packed = [meta.get("compressor"), *(meta.get("filters") or [])]
        return [str(codec.get("id")) for codec in packed if isinstance(codec, dict)]
    names = []
    for codec in meta["codecs"]:
        names.append(str(codec.get("name")) if isinstance(codec, dict) else str(codec))
        inner = codec.get("configuration", {}) if isinstance(codec, dict) else {}
        if isinstance(inner, dict) and "codecs" in inner:
            names += _codecs({"codecs": inner["codecs"] + inner.get("index_codecs", [])})
    return names


def _chunk(meta: dict[str, Any]) -> list[Any]:
    """Shape of what is decoded at once: the inner chunk of a shard."""
    for codec in meta.get("codecs", []):
        if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
            return list(codec.get("configuration", {}).get("chunk_shape", []))
    grid = meta.get("chunk_grid", {})
    return list(grid.get("configuration", {}).get("chunk_shape", []) if grid else meta.get("chunks", []))
