"""Levels: arrays of a foreign OME-Zarr image, 0.4 on zarr v2 or 0.5 on zarr v3, with or without planes along z.

All metadata is checked before an array is opened."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import SlideError
from ..contents import check_inside
from ..foreign import foreign
from ..frame import Frame
from ..inside import is_inside
from ..ngff import frames_of, unknown_units
from ..regular import read_regular
from ..zarr_limits import LimitError, check_limits

MAX_ZARR_LEVELS = 32
MAX_SERIES = 1000
MAX_ZARR_CHANNELS = 64
TRUSTED_CODECS = frozenset({
    "blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "crc32", "crc32c",
    "adler32", "fletcher32", "packbits", "bytes", "transpose", "sharding_indexed", "numcodecs.blosc", "numcodecs.zstd",
    "numcodecs.zlib", "numcodecs.lz4", "numcodecs.shuffle", "numcodecs.delta", "numcodecs.bz2", "numcodecs.lzma",
    "numcodecs.gzip",
})  # fmt: skip
"""Codecs that only transform bytes; codecs that could run code, such as pickle, are not listed and so refused."""


METADATA_FILES = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
"""Metadata files; every zarr folder has at least one of them."""


def accepts(path: Path, head: bytes) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in sorted(METADATA_FILES))


def foreign_attributes(path: Path) -> dict[str, Any]:
    """A group's attributes from its metadata files; empty if there are none. Raises SlideError (E_NGFF)."""
    v3 = _json(path / "zarr.json")
    found = v3.get("attributes", {}) if v3 else _json(path / ".zattrs")
    return found if isinstance(found, dict) else {}


def understood(path: Path) -> AbstractContextManager[None]:
    """Context in which metadata of a store are taken apart: whatever is wrong in them is a SlideError (E_NGFF)."""
    return foreign(lambda why: metadata_error(path, f"its metadata cannot be understood ({why})"))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Context of code that knows a store's metadata but not its name: its errors get the name."""
    try:
        yield
    except SlideError as error:
        raise SlideError(f"{path.name}: {error.message}", error.code) from error


def holds_image(path: Path) -> bool:
    """Whether a folder is an OME-Zarr image (has multiscales)."""
    try:
        attributes = foreign_attributes(path)
        if _has_multiscales(attributes):
            return True
        return any(_has_multiscales(foreign_attributes(path / name)) for name in series_names(path, attributes)[:1])
    except SlideError:
        return False


def _has_multiscales(attributes: dict[str, Any]) -> bool:
    ome = attributes.get("ome", attributes)
    return isinstance(ome, dict) and bool(ome.get("multiscales"))


def series_names(path: Path, attributes: dict[str, Any]) -> list[str]:
    """Folders of the images in a store of bioformats2raw's layout, in its order; empty for other stores."""
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, dict) or "bioformats2raw.layout" not in ome:
        return []
    listed = foreign_attributes(path / "OME")
    with understood(path):
        names = listed.get("ome", listed).get("series")
    if isinstance(names, list) and names:
        return [name for name in map(str, names) if PurePosixPath(name).name == name and is_inside(name)]
    return [str(i) for i in itertools.takewhile(lambda i: (path / str(i)).is_dir(), range(MAX_SERIES))]


def image_folder(path: Path, part: str) -> Path:
    """The folder of an image: the store itself, or in bioformats2raw's layout the first series, or the series `part`.

    Raises SlideError (E_NO_PART) for an unknown part.
    """
    attributes = foreign_attributes(path)
    names = [] if _has_multiscales(attributes) else series_names(path, attributes)
    if not part:
        return path / names[0] if names else path
    if part not in names:
        there = f"There are: {', '.join(names[:8])}" if names else "It holds one image"
        raise SlideError(f"{path.name}: has no image {part!r}. {there}.", "E_NO_PART")
    return path / part


@dataclass(frozen=True, slots=True)
class Levels:
    """The first multiscale image of a group."""

    axes: tuple[str, ...]
    """Names of the arrays' axes, in order."""
    arrays: tuple[Any, ...]
    """zarr arrays, finest first."""
    names: tuple[str, ...]
    """Paths of the arrays inside the image's folder."""
    frames: tuple[Frame, ...]
    """Frames of the spatial axes, one per array, in the same order."""
    scaled: bool
    """Whether the metadata state lengths at all."""
    notes: tuple[str, ...]
    unknown_units: tuple[str, ...] = ()
    """Units of the axes that are no lengths; such an image states no lengths."""


def open_levels(path: Path, kinds: Collection[str], word: str) -> Levels:
    """The levels of an image whose pixels have a type in `kinds` (numpy names); messages call these types `word`.

    Raises SlideError: E_NOT_A_SLIDE, E_NGFF, E_PATH, E_MISSING_COMPANION, E_UNSUPPORTED_PIXELS, E_MALFORMED, E_BOMB.
    """
    if not holds_image(path):
        raise SlideError(
            f"{path.name}: is a zarr folder without multiscales metadata, so nothing says which arrays are levels of "
            "an image; plates are read field by field. Give the folder of one image.",
            "E_NOT_A_SLIDE",
        )
    check_inside(path)
    with understood(path):
        return _levels(path, foreign_attributes(path), (kinds, word))


def _levels(path: Path, attributes: dict[str, Any], types: tuple[Collection[str], str]) -> Levels:
    multiscales = attributes.get("ome", attributes)["multiscales"]
    names = [str(dataset["path"]) for dataset in multiscales[0]["datasets"]][:MAX_ZARR_LEVELS]
    if not names:
        raise metadata_error(path, "its multiscales metadata lists no levels")
    notes = (f"{len(multiscales)} multiscales; the first is read",) if len(multiscales) > 1 else ()
    times = _times(multiscales[0])
    opened = [_array(path, name, types, times) for name in names]
    order = sorted(range(len(names)), key=lambda i: -math.prod(opened[i].shape))
    names, arrays = [names[i] for i in order], [opened[i] for i in order]
    with named(path):
        axes, frames = frames_of(_in_order(attributes, order), [array.shape for array in arrays])
    if any(len(array.shape) != len(axes) for array in arrays):
        raise metadata_error(path, f"its {len(axes)} axes do not fit its arrays of shapes {[a.shape for a in arrays]}")
    if not {"y", "x"} <= set(axes) or set(axes) - set("tczyx"):
        raise metadata_error(
            path, f"its axes are {axes}; y and x are needed, and of other axes only t, c and z are read"
        )
    if {axis for axis in axes if axis in "zyx"} != set(frames[0].axes):
        raise metadata_error(path, f"of its axes {axes} those of type space are {list(frames[0].axes)}")
    channels, first = [a.shape[axes.index("c")] if "c" in axes else 1 for a in arrays], arrays[0]
    if max(channels) > MAX_ZARR_CHANNELS or len({*channels}) > 1 or any(a.dtype != first.dtype for a in arrays):
        raise SlideError(
            f"{path.name}: levels need the same pixels and at most {MAX_ZARR_CHANNELS} channels; found shapes "
            f"{[a.shape for a in arrays]} of {[a.dtype.name for a in arrays]}.",
            "E_UNSUPPORTED_PIXELS",
        )
    space = [a for a in multiscales[0].get("axes", []) if isinstance(a, dict) and a.get("name") in ("z", "y", "x")]
    unknown = unknown_units(attributes)
    scaled = not unknown and (any(a.get("unit") for a in space) or any(s != 1 for s in frames[0].spacing[-2:]))
    return Levels(tuple(axes), tuple(arrays), tuple(names), frames, scaled, notes, tuple(unknown))


def _in_order(attributes: dict[str, Any], order: list[int]) -> dict[str, Any]:
    """The attributes with the datasets of the first image in this order; those that are not in it are left out."""
    ome = attributes.get("ome", attributes)
    image, *others = ome["multiscales"]
    ordered = {**ome, "multiscales": [{**image, "datasets": [image["datasets"][i] for i in order]}, *others]}
    return {**attributes, "ome": ordered} if "ome" in attributes else ordered


def metadata_error(path: Path, why: str) -> SlideError:
    """The error for invalid metadata."""
    return SlideError(f"{path.name}: {why}. Check the store with an OME-NGFF validator.", "E_NGFF")


def _times(image: dict[str, Any]) -> list[int]:
    """Numbers of the axes of time, of which one point is read."""
    axes = image.get("axes")
    named = [axis.get("name") if isinstance(axis, dict) else axis for axis in axes] if isinstance(axes, list) else []
    return [number for number, name in enumerate(named) if name == "t"]


def _array(path: Path, name: str, types: tuple[Collection[str], str], times: Collection[int]) -> Any:
    """Open one level, after a check of its metadata; `types` are those of `open_levels`, `times` the axes of time."""
    kinds, word = types
    folder = path.joinpath(*PurePosixPath(name).parts) if "\0" not in name else path
    if not is_inside(name.rstrip("/")) or not folder.resolve().is_relative_to(path.resolve()):
        raise SlideError(f"{path.name}: its level {name!r} lies outside the folder; refused.", "E_PATH")
    meta = _json(folder / "zarr.json") or _json(folder / ".zarray")
    if not meta:
        raise SlideError(
            f"{path.name}: its level {name!r} has no array metadata; part of the folder was not copied.",
            "E_MISSING_COMPANION",
        )
    _check(path, name, meta, times)
    kind = str(meta.get("data_type", meta.get("dtype")))
    if kind.lstrip("|<>") not in kinds:
        raise SlideError(
            f"{path.name}: level {name!r} has pixels of type {kind}; {word} are read.", "E_UNSUPPORTED_PIXELS"
        )
    from ..bounded_zarr import open_bounded

    with foreign(lambda why: metadata_error(path, f"level {name!r} cannot be opened ({why})")):
        return open_bounded(folder, 3 if "zarr_format" in meta and meta["zarr_format"] == 3 else 2)


def _check(path: Path, name: str, meta: dict[str, Any], times: Collection[int]) -> None:
    foreign = sorted({codec for codec in _codecs(meta) if codec not in TRUSTED_CODECS})
    if foreign:
        raise SlideError(
            f"{path.name}: level {name!r} is compressed with {', '.join(foreign)}, which is not among the "
            "codecs that are trusted. Rewrite it with blosc or zstd.",
            "E_UNSUPPORTED_PIXELS",
        )
    try:
        check_limits(meta, times)
        if 0 in meta["shape"] or not meta["shape"]:
            raise LimitError("E_MALFORMED", f"claims the shape {meta['shape']}")
    except LimitError as error:
        raise SlideError(f"{path.name}: level {name!r} {error.why}.", error.code) from error


def _json(path: Path) -> dict[str, Any]:
    """A small JSON object from disk; empty where there is no such file."""
    try:
        found = json.loads(read_regular(path, 2**24))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SlideError(f"{path.parent.name}/{path.name}: cannot be read ({error!r:.200}).", "E_NGFF") from error
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
