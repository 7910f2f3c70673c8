"""DICOM reader: whole-slide images of a DICOM series, frame by frame, without OpenSlide.

It takes what scanners leave out or OpenSlide refuses: sparse tiles, sizes that follow from other attributes, greyscale and
16 bits, optical paths as channels, more transfer syntaxes; and of several focal planes it reads the one nearest to 0.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box
from .absent import absent_boxes
from .cut_short import Cut, cut_of
from .dicom_codecs import decoder
from .dicom_frames import Frames
from .dicom_levels import ABSENT, DicomLevel, pixel_spacing
from .dicom_series import files_of, is_slide, levels_of
from .file_head import kind_of
from .pixels import SlideDescription, check_one_image, level_factor
from .spacing import FROM_FILE, Stated

_UNREADABLE = "E_UNSUPPORTED_PIXELS"


def accepts(path: Path, head: bytes) -> bool:
    return kind_of(head) == "DICOM" and is_slide(path)


class DicomPixels:
    """An open series."""

    def __init__(self, path: Path, part: str = "") -> None:
        check_one_image(path, part)
        self._name = path.name
        self._fds: list[int] = []
        try:
            self._open(path)
        except SlideError:
            self.close()
            raise
        except Exception as error:  # pydicom raises whatever attributes of unexpected kinds lead it to
            self.close()
            raise SlideError(
                f"{path.name}: its attributes do not describe an image ({type(error).__name__}). "
                "Export it again from the scanner's software.",
                "E_UNREADABLE",
            ) from error

    def _open(self, path: Path) -> None:
        files = files_of(path)
        self._levels, paths, notes = levels_of(files, path.name)
        if not self._levels:
            raise SlideError(f"{path.name}: no level of its series can be read.", _UNREADABLE)
        first = files[int(self._levels[0].files.max())].dataset
        self._inverted = _check_pixels(first, path.name)
        self._decoders = [decoder(file.dataset, path.name) for file in files]
        self._frames = []
        for file in files:
            self._fds.append(os.open(file.path, os.O_RDONLY))
            self._frames.append(Frames(self._fds[-1], file.path.name, file.dataset, file.at))
        samples = int(first.SamplesPerPixel)
        self._dtype: np.dtype[Any] = np.dtype(np.uint8 if int(first.BitsAllocated) == 8 else np.uint16)
        self._top = self._dtype.type(2 ** _bits_stored(first) - 1)
        bright = samples == 3 or self._inverted
        shapes = tuple(level.shape for level in self._levels)
        if self._inverted:
            notes.append("white is stored as zero (MONOCHROME1); grey values are turned round")
        y, x = pixel_spacing(first) or _of_volume(first, shapes[0]) or (None, None)
        self._described = SlideDescription(
            reader="dicom",
            shapes=shapes,
            factors=tuple(level_factor(shapes[0], shape) for shape in shapes),
            channels=samples * len(paths),
            dtype=self._dtype.name,
            background=int(self._top) if bright else 0,
            stated=(Stated(y, x, FROM_FILE),),
            notes=tuple(notes),
            tiles=tuple(level.tile for level in self._levels),
            cut=self._cuts(),
        )

    def _cuts(self) -> tuple[Cut, ...]:
        """What of each level lies behind the end of its files."""
        behind = [frames.behind_end() for frames in self._frames]
        cuts = []
        for level in self._levels:
            lost = np.zeros(level.files.shape, bool)
            for file in np.unique(level.files[level.files != ABSENT]):
                of_file = level.files == file
                lost[of_file] = behind[file][level.frames[of_file]]
            cuts.append(cut_of(np.asarray(lost.any(0)), level.tile, level.shape))
        return tuple(cuts)

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        at, out = self._levels[level], np.empty((self._described.channels, *box.shape), self._dtype)
        samples = len(out) // len(at.files)
        for piece in box.cut(at.tile):
            if not piece.size:
                continue
            place = piece.start[0] // at.tile[0], piece.start[1] // at.tile[1]
            inner = piece.shift(tuple(-p * n for p, n in zip(place, at.tile, strict=True))).slices
            target = out[(slice(None), *piece.shift(tuple(-a for a in box.start)).slices)]
            for channel in range(len(at.files)):
                pixels = self._tile(at, (channel, *place))
                planes = target[channel * samples : (channel + 1) * samples]
                planes[...] = self._described.background if pixels is None else np.moveaxis(pixels[inner], -1, 0)
        return out

    def _tile(self, level: DicomLevel, place: tuple[int, ...]) -> Array | None:
        """Pixels (y, x, sample) of a tile; None where no file holds it."""
        file, frame = int(level.files[place]), int(level.frames[place])
        if file == ABSENT:
            return None
        data = self._frames[file].read(frame)
        try:
            pixels = self._decoders[file](data)
        except TileError as error:
            raise TileError(f"{self._name}: frame {frame}: {error.message}", error.code) from error
        except Exception as error:  # decoders raise whatever they like on damaged bytes
            raise TileError(
                f"{self._name}: frame {frame} is damaged ({type(error).__name__}: {error})", "E_DAMAGED_TILE"
            ) from error
        return self._top - (pixels & self._top) if self._inverted else pixels

    def absent(self, box: Box, level: int) -> list[Box]:
        at = self._levels[level]
        gaps = (at.files == ABSENT).any(0)
        return absent_boxes(gaps, at.tile, box) if gaps.any() else []

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())


def _check_pixels(dataset: Any, name: str) -> bool:
    """Whether zero is white. Raises SlideError for pixels that are not read."""
    bits, samples = int(dataset.BitsAllocated), int(dataset.SamplesPerPixel)
    photometric = str(dataset.PhotometricInterpretation)
    known = photometric.startswith(("RGB", "YBR_")) if samples == 3 else photometric in ("MONOCHROME1", "MONOCHROME2")
    if bits not in (8, 16) or samples not in (1, 3) or not known or int(dataset.get("PixelRepresentation") or 0):
        raise SlideError(
            f"{name}: {samples} samples of {bits} bits with colours {photometric} are not read; whole numbers of 8 or 16 bits "
            "without a sign in RGB, YBR or MONOCHROME are.",
            _UNREADABLE,
        )
    return photometric == "MONOCHROME1"


def _bits_stored(dataset: Any) -> int:
    """Bits of a sample that hold its value; the others are not part of it."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored") or 0)
    return stored if 0 < stored <= allocated else allocated


def _of_volume(dataset: Any, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Micrometres a pixel (y, x) by the stated sides of the imaged volume; None where not stated."""
    sides = dataset.get("ImagedVolumeHeight"), dataset.get("ImagedVolumeWidth")
    return (float(sides[0]) * 1000 / shape[0], float(sides[1]) * 1000 / shape[1]) if all(sides) else None
