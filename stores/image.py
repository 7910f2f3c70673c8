"""StoredImage: an OME-Zarr 0.5 image, label or layer that tile-engine writes and reads.

Pixels, tissue, clusters and embeddings differ only in frames and channels, so each of them is a StoredImage. Its metadata is
written first with `status: incomplete`; `finish` adds `multiscales` last, so a reader never sees a partial image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorruptError, SlideError
from .array import ArraySpec, StoredArray, Written, written
from .files import read_json, write_json
from .foreign import foreign
from .frame import Array, Box, Frame
from .inside import is_id, is_inside
from .ngff import NGFF_VERSION, OWN_KEY, TRANSFORMS, affine_transform, frames_of, multiscales, omero, stored_affine
from .placement import STRAIGHT, Placement, placement
from .shard import Codec
from .tile_reader import TileReader

MAX_ANISOTROPY = 1.5
"""An axis is not halved while its spacing is more than this times the finest one."""
ATTRIBUTES_KEY = OWN_KEY
"""Key of tile-engine's own attributes, beside the standard's `ome`."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Levels of an image, finest first, with their shards, chunks and data type."""

    frames: tuple[Frame, ...]
    channels: int | None
    """None for labels: one integer per cell, no channel axis."""
    dtype: str
    shard: tuple[int, ...]
    """Cells of a shard along the spatial axes; a level smaller than that has one smaller shard."""
    chunk: tuple[int, ...]
    fill: int = 0
    codec: Codec = Codec()

    def level(self, level: int) -> ArraySpec:
        frame = self.frames[level]
        lead = () if self.channels is None else (self.channels,)
        chunk = tuple(min(c, n) for c, n in zip(self.chunk, frame.shape, strict=True))
        shard = tuple(min(s // c * c, -(-n // c) * c) for s, c, n in zip(self.shard, chunk, frame.shape, strict=True))
        return ArraySpec(
            shape=lead + frame.shape,
            dtype=self.dtype,
            shard=lead + shard,
            chunk=lead + chunk,
            names=(() if self.channels is None else ("c",)) + frame.axes,
            fill=self.fill,
            codec=self.codec,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all levels before compression."""
        return sum(self.level(i).nbytes for i in range(len(self.frames)))


class StoredImage:
    """One multiscale group. `write` takes whole shards; once finished it is a `Source`."""

    def __init__(
        self, path: Path, levels: Sequence[StoredArray], frames: tuple[Frame, ...], placement: Placement = STRAIGHT
    ) -> None:
        self.path = path
        self.levels = tuple(levels)
        self.frames = frames
        self.placement = placement
        """Where positions on the frames lie in the scanner; of an oblique volume they are turned."""

    @classmethod
    def create(cls, path: Path, spec: ImageSpec) -> StoredImage:
        """Write the metadata of every level, with `status: incomplete`; existing shards stay."""
        write_json(path / "zarr.json", group_document({ATTRIBUTES_KEY: {"status": "incomplete"}}))
        levels = [StoredArray.create(path / str(i), spec.level(i)) for i in range(len(spec.frames))]
        return cls(path, levels, spec.frames)

    @classmethod
    def ensure(cls, path: Path, spec: ImageSpec) -> StoredImage:
        """The image, created if necessary: for units that write some of its shards, in any order."""
        image = cls(path, [StoredArray(path / str(i), spec.level(i)) for i in range(len(spec.frames))], spec.frames)
        try:
            stated = all(read_json(a.path / "zarr.json") == a.spec.metadata() for a in image.levels)
            return image if stated and ATTRIBUTES_KEY in attributes_of(path) else cls.create(path, spec)
        except (FileNotFoundError, CorruptError):
            return cls.create(path, spec)

    @classmethod
    def open(cls, path: Path) -> StoredImage:
        """Open a finished image. Raises CorruptError for an unfinished or damaged one."""
        attributes = attributes_of(path)
        with foreign(lambda why: not_ours(path, why)):
            ours = attributes.get(ATTRIBUTES_KEY, {})
            if ours.get("status") != "complete":
                raise CorruptError(
                    f"{path} is not finished (status {ours.get('status')!r}): run the same command again."
                )
            names = [d["path"] for d in attributes["ome"]["multiscales"][0]["datasets"]]
            if not names or not all(map(is_inside, names)):
                raise ValueError("the path of one of its levels leads outside, or it has none")
            levels = [StoredArray.open(path / name) for name in names]
            try:
                axes, frames = frames_of(attributes, [a.spec.shape for a in levels], ours["reference"])
                turned = stored_affine(attributes)
            except SlideError as error:
                raise not_ours(path, error.message) from error
            if any(list(level.spec.names) != axes for level in levels):
                raise ValueError(f"its axes are {axes}, those of its levels {[level.spec.names for level in levels]}")
            return cls(path, levels, frames, placement(frames[0], turned) if turned else STRAIGHT)

    def finish(
        self,
        *,
        name: str,
        reference: Sequence[float] | None = None,
        label: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        placement: Placement = STRAIGHT,
        channel_names: Sequence[str] = (),
        windows: Sequence[tuple[float, float]] = (),
        nearest: bool = False,
    ) -> list[Written]:
        """Write the OME metadata; returns all metadata files. `label` is the value of `image-label`, `notes` go to our own
        attributes, and so does the affine of an oblique volume: the standard has no rotation yet, and is written without.
        `channel_names` ending in a colour (red, green, blue) are drawn in it. `windows` are the values that are in use, by
        channel (`windows_in_use`); without them the range of an unsigned type is stated. Coarser levels of a `nearest` image
        are no means."""
        spec = self.levels[0].spec
        channels = spec.shape[0] if spec.names[0] == "c" else None
        reference = list(reference or self.frames[0].spacing)
        ome: dict[str, Any] = {
            "version": NGFF_VERSION,
            "multiscales": multiscales(
                self.frames, name=name, channels=channels is not None, reference=reference, nearest=nearest
            ),
        }
        if channels is not None and (windows or spec.dtype in ("uint8", "uint16")):
            ome["omero"] = omero(channels, spec.dtype, channel_names, windows)
        if label is not None:
            ome["image-label"] = dict(label)
        turned = {} if placement.straight else {TRANSFORMS: [affine_transform(placement.of_cells(self.frames[0]))]}
        ours = {**(notes or {}), **turned, "reference": reference, "status": "complete"}
        write_json(self.path / "zarr.json", group_document({"ome": ome, ATTRIBUTES_KEY: ours}))
        documents = [self.path / "zarr.json", *(a.path / "zarr.json" for a in self.levels)]
        return [written(path) for path in documents]

    @property
    def channels(self) -> int:
        spec = self.levels[0].spec
        return spec.shape[0] if spec.names[0] == "c" else 1

    @property
    def dtype(self) -> str:
        return self.levels[0].spec.dtype

    @property
    def background(self) -> int:
        return int(self.levels[0].spec.fill)

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        """Cells of a chunk of each level."""
        return tuple(level.spec.chunk[-len(self.frames[0].shape) :] for level in self.levels)

    def read(self, box: Box, level: int = 0) -> Array:
        """Cells of a box inside `frames[level]`, shape (channel, *box.shape); labels have one channel."""
        array = self.levels[level]
        if array.spec.names[0] == "c":
            return array.read(Box((0, *box.start), (array.spec.shape[0], *box.stop)))
        return array.read(box)[None]

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """What decodes the chunks of a level, a shard at a time; None for labels."""
        return self.levels[level].chunk_reader()

    def write(self, level: int, box: Box, values: Array, pool: ThreadPoolExecutor | None = None) -> Written:
        """Write the whole shard at `box` of a level; values have shape (channel, *box.shape), or box.shape for labels."""
        array = self.levels[level]
        if array.spec.names[0] == "c":
            box = Box((0, *box.start), (array.spec.shape[0], *box.stop))
        return array.write(box, values, pool)

    def shard(self, level: int) -> tuple[int, ...]:
        """Cells of one shard of a level along the spatial axes."""
        spec = self.levels[level].spec
        return spec.shard[1:] if spec.names[0] == "c" else spec.shard


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """One level of a stored image as a `Layer`."""

    image: StoredImage
    level: int = 0

    @property
    def frame(self) -> Frame:
        return self.image.frames[self.level]

    @property
    def chunks(self) -> tuple[int, ...]:
        return self.image.shard(self.level)

    def write(self, box: Box, values: Array) -> list[Written]:
        labels = self.image.levels[self.level].spec.names[0] != "c"
        return [self.image.write(self.level, box, values[0] if labels else values)]


def pyramid(frame: Frame, *, longest: int = 256, levels: int | None = None) -> tuple[Frame, ...]:
    """`frame` and its halvings, until no side is longer than `longest` cells, or exactly `levels` frames.

    Shapes are rounded up: the last cell is the mean of the cells that exist.
    """
    frames = [frame]
    while (len(frames) < levels) if levels else (max(frames[-1].shape) > longest):
        frames.append(frames[-1].coarsen(halving(frames[-1])))
    return tuple(frames)


def halving(frame: Frame) -> tuple[int, ...]:
    """Factor of the next level along each axis: 2, or 1 along axes of a volume that are over 1.5 times as coarse as the finest.

    >>> halving(Frame(("z", "y", "x"), (30, 256, 256), (4.0, 1.0, 1.0)))
    (1, 2, 2)
    """
    if len(frame.shape) < 3:
        return (2,) * len(frame.shape)
    finest = min((s for s, n in zip(frame.spacing, frame.shape, strict=True) if n > 1), default=max(frame.spacing))
    return tuple(2 if s <= MAX_ANISOTROPY * finest else 1 for s in frame.spacing)


def begin_groups(path: Path) -> None:
    """Write the groups `labels/` and `layers/` of an image; an existing list of labels stays."""
    if not (path / "labels" / "zarr.json").exists():
        list_labels(path, [])
    if not (path / "layers" / "zarr.json").exists():
        write_json(path / "layers" / "zarr.json", group_document({}))


def list_labels(path: Path, names: Iterable[str]) -> None:
    """List the finished labels of the image at `path`, both under the standard's key and under the key that vizarr reads."""
    names = sorted(names)
    write_json(
        path / "labels" / "zarr.json",
        group_document({"ome": {"version": NGFF_VERSION, "labels": names}, "labels": names}),
    )


def labels_listed(path: Path) -> list[str]:
    try:
        listed = attributes_of(path / "labels").get("labels", [])
    except CorruptError:
        return []
    return [name for name in listed if is_id(name)] if isinstance(listed, list) else []


def attributes_of(path: Path) -> dict[str, Any]:
    """Attributes of a zarr v3 group. Raises CorruptError where there is none."""
    try:
        meta = read_json(path / "zarr.json")
    except FileNotFoundError as error:
        raise CorruptError(f"{path} holds no zarr.json: it was never written, or was removed.") from error
    attributes = meta.get("attributes", {}) if isinstance(meta, dict) else None
    if not isinstance(attributes, dict):
        raise not_ours(path, "it is no metadata of a group")
    return attributes


def is_finished(path: Path) -> bool:
    """Whether an image, label or layer is there and finished."""
    return (path / "zarr.json").exists() and attributes_of(path).get(ATTRIBUTES_KEY, {}).get("status") == "complete"


def not_ours(path: Path, why: str) -> CorruptError:
    """The error for metadata that tile-engine did not write so."""
    return CorruptError(f"{path / 'zarr.json'} is not what was written there ({why}).")


def image_label(colours: Mapping[int, tuple[int, int, int]], properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The standard's `image-label` value; `properties` each carry a `label-value`."""
    return {
        "version": NGFF_VERSION,
        "colors": [{"label-value": value, "rgba": [*rgb, 255]} for value, rgb in sorted(colours.items())],
        "properties": [dict(p) for p in properties],
        "source": {"image": "../../"},
    }


def group_document(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What zarr.json of a group holds."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
