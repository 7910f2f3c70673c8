"""fastslide reader: formats that nothing else here reads: Philips iSyntax, Olympus VSI, and CZI where OpenSlide refuses it.

It comes last. On JPEG it is slower than the direct reader, and it does not notice damaged tiles. It is an extra (`formats`).
fastslide goes by a file's extension and this reader by its content: where the two differ, fastslide is given a link in a
private folder, which goes when the slide is closed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box
from .companions import is_vsi, stacks_of_vsi, vsi_folder
from .file_head import head_of, kind_of
from .pixels import SlideDescription, level_factor
from .spacing import FROM_FILE, Stated
from .tiff_images import chosen_image

_SUFFIXES = {"Zeiss CZI": ".czi", "Philips iSyntax": ".isyntax", "Olympus VSI": ".vsi"}
_TYPES = ("uint8", "uint16")
NO_READER = "E_NO_READER"
_TILE = 512


def accepts(path: Path, head: bytes) -> bool:
    return _kind(path, head) in _SUFFIXES


def _kind(path: Path, head: bytes) -> str:
    return "Olympus VSI" if is_vsi(path, head) else kind_of(head)


class FastSlidePixels:
    """One image of an open file: the largest, or the image `part`."""

    def __init__(self, path: Path, part: str = "") -> None:
        self._name = path.name
        kind = _kind(path, head_of(path))
        if kind == "Olympus VSI" and not stacks_of_vsi(path):
            raise SlideError(
                f"{path.name}: the pixels of a VSI slide lie in files .ets in the folder {vsi_folder(path).name} beside it, "
                "and there are none. Copy that folder too.",
                "E_MISSING_COMPANION",
            )
        fastslide = _imported(path.name, kind)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._slide = fastslide.FastSlide.from_file_path(str(self._named(path, _SUFFIXES[kind])))
            self._image, notes = self._chosen(part)
            self._described = self._describe(kind, notes)
        except SlideError:
            self.close()
            raise
        except Exception as error:  # fastslide raises whatever its formats lead it to
            self.close()
            raise SlideError(
                f"{path.name}: the reader fastslide cannot open this {kind} file ({error}); it is damaged, cut short or of a "
                "kind that is not supported. Copy it again, or export it as OME-TIFF.",
                "E_UNREADABLE",
            ) from error

    def _named(self, path: Path, suffix: str) -> Path:
        """The file, or a link to it (and to the folder of a VSI slide) whose suffix says what it is."""
        if path.suffix.lower() == suffix:
            return path
        self._folder = tempfile.TemporaryDirectory(prefix="tile-engine-", ignore_cleanup_errors=True)
        link = Path(self._folder.name) / f"slide{suffix}"
        link.symlink_to(path.absolute())
        if suffix == ".vsi":
            vsi_folder(link).symlink_to(vsi_folder(path).absolute())
        return link

    def _chosen(self, part: str) -> tuple[Any, list[str]]:
        images = [self._slide.images[i] for i in range(len(self._slide.images))]
        sizes = [(int(image.dimensions[1]), int(image.dimensions[0])) for image in images]
        number, notes = chosen_image(sizes, [str(image.name) for image in images], part, self._name)
        return images[number], notes

    def _describe(self, kind: str, notes: list[str]) -> SlideDescription:
        image, dtype = self._image, str(self._slide.dtype)
        shapes = tuple((int(h), int(w)) for w, h in image.level_dimensions)
        if dtype not in _TYPES or not shapes or min(map(min, shapes)) < 1:
            raise SlideError(
                f"{self._name}: {kind} with levels of {shapes} pixels of type {dtype} is not read; whole numbers of 8 or 16 "
                "bits are.",
                "E_UNSUPPORTED_PIXELS",
            )
        self._z = int(image.z_count) // 2
        for count, what, number in ((image.z_count, "focus planes", self._z), (image.t_count, "time points", 0)):
            if count > 1:
                notes.append(f"{count} {what}; number {number} (from 0) is read")
        x, y = (float(v) if v and v > 0 else None for v in image.mpp)
        self._dtype, channels = np.dtype(dtype), int(image.num_channels)
        return SlideDescription(
            reader="fastslide",
            shapes=shapes,
            factors=tuple(level_factor(shapes[0], shape) for shape in shapes),
            channels=channels,
            dtype=dtype,
            background=255 if self._holds_colours(len(shapes) - 1) else 0,
            stated=(Stated(y, x, FROM_FILE),),
            notes=(f"read through fastslide as {kind}, which notices no damage inside tiles", *notes),
            tiles=((_TILE, _TILE),) * len(shapes),
        )

    def _holds_colours(self, level: int) -> bool:
        """Whether the channels are the colours of brightfield, and not three dyes: fastslide says so of pixels that it reads.

        Where these cannot be read, the names that it gives to the channels decide.
        """
        if int(self._image.num_channels) != 3 or self._dtype != np.uint8:
            return False
        try:
            return str(self._image.read_region((0, 0), level, (1, 1), self._z).format).endswith(".RGB")
        except Exception:  # noqa: BLE001 - fastslide raises whatever its formats lead it to; a lost tile is lost when it is read
            return [channel["name"] for channel in self._image.channel_metadata] == ["Red", "Green", "Blue"]

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        if not box.size:
            return np.empty((self._described.channels, *box.shape), self._dtype)
        (y, x), (height, width) = box.start, box.shape
        try:
            image = self._image.read_region((x, y), level, (width, height), self._z)
            pixels = np.array(image.to_separate().numpy())
        except Exception as error:
            raise TileError(
                f"{self._name}: fastslide cannot decode the pixels from {box.start} to {box.stop} (y, x) of level {level} "
                f"({error})"
            ) from error
        pixels = pixels[None] if pixels.ndim == 2 else pixels
        if pixels.shape != (self._described.channels, *box.shape) or pixels.dtype != self._dtype:
            raise TileError(
                f"{self._name}: fastslide gives pixels of shape {pixels.shape} and type {pixels.dtype} for {box.shape}"
            )
        return pixels

    def absent(self, box: Box, level: int) -> list[Box]:
        """Nothing: fastslide does not say which tiles its formats leave out."""
        return []

    def close(self) -> None:
        if hasattr(self, "_slide"):
            self._slide.close()
        if self._folder is not None:
            self._folder.cleanup()


def _imported(name: str, kind: str) -> Any:
    try:
        import fastslide
    except ImportError as error:
        raise SlideError(
            f"{name}: is {kind}, which the reader fastslide reads, and that is not installed: "
            "pip install 'tile-engine[formats]'.",
            NO_READER,
        ) from error
    return fastslide
