"""Picture reader: plain PNG, JPEG, JPEG 2000, WebP and BMP files, decoded once and kept in memory. They state no spacing."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ...errors import SlideError
from ..frame import Array, Box
from ..regular import read_regular
from . import colour
from .file_head import head_of, kind_of
from .pixels import SlideDescription, check_one_image

PICTURE_FORMATS = ("PNG", "JPEG", "JPEG 2000", "WebP", "BMP")
MAX_PICTURE_PIXELS = 2**27
"""Largest number of pixels of a picture; larger ones need a tiled TIFF."""


def accepts(path: Path, head: bytes) -> bool:
    return kind_of(head) in PICTURE_FORMATS


class PicturePixels:
    """One picture in memory; its header is checked before a pixel is decoded."""

    def __init__(self, path: Path, part: str = "") -> None:
        check_one_image(path, part)
        samples, notes, orientation = samples_of(path)
        self._pixels, more = _channels(samples)
        notes += more
        channels, height, width = self._pixels.shape
        if orientation not in (0, 1):
            notes.append(f"the EXIF orientation says {orientation}; pixels are kept as they are stored")
        self._described = SlideDescription(
            reader="picture",
            shapes=((height, width),),
            factors=((1.0, 1.0),),
            channels=channels,
            dtype=self._pixels.dtype.name,
            background=int(np.iinfo(self._pixels.dtype).max),
            notes=tuple(notes),
            tiles=((256, 256),),
        )

    @property
    def described(self) -> SlideDescription:
        return self._described

    def read(self, box: Box, level: int) -> Array:
        pixels: Array = self._pixels[(slice(None), *box.slices)].copy()
        return pixels

    def absent(self, box: Box, level: int) -> list[Box]:
        return []

    def close(self) -> None:
        """Nothing stays open."""


def _header(path: Path) -> tuple[tuple[int, int], str, int]:
    """(height, width), Pillow's mode and EXIF orientation, without decoding a pixel."""
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                width, height = image.size
                orientation = int(image.getexif().get(0x0112, 1) or 1) if image.format in ("JPEG", "PNG", "WEBP") else 1
                return (height, width), image.mode, orientation
        except Image.DecompressionBombError as error:
            raise SlideError(f"{path.name}: {error}. Write it as a tiled TIFF.", "E_BOMB") from error
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, TypeError) as error:
            raise SlideError(
                f"{path.name}: its header cannot be read ({error}); it is damaged or cut short. Copy it again.",
                "E_UNREADABLE",
            ) from error


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture by its header. Raises SlideError: E_BOMB, E_UNREADABLE."""
    return _header(path)[0]


def samples_of(path: Path) -> tuple[Array, list[str], int]:
    """(pixels (y, x, sample) uint8 or uint16, alpha as the file has it; notes; EXIF orientation), each decoded once.

    Raises SlideError: E_BOMB by its header, E_TRUNCATED, E_UNREADABLE, E_UNSUPPORTED_PIXELS.
    """
    kind = kind_of(head_of(path))
    size, mode, orientation = _header(path)
    if size[0] * size[1] > MAX_PICTURE_PIXELS:
        raise SlideError(
            f"{path.name}: a picture of {size[1]} x {size[0]} pixels is more than the {MAX_PICTURE_PIXELS} that are "
            "decoded in one piece; a small file may also be a decompression bomb. Write it as a tiled TIFF.",
            "E_BOMB",
        )
    pixels, notes = _decoded(path, kind, mode)
    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    if samples.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)) or samples.shape[-1] > 4:
        raise SlideError(
            f"{path.name}: {samples.shape[-1]} samples of type {samples.dtype.name} a pixel are not read; one to four "
            "of 8 or 16 bits are.",
            "E_UNSUPPORTED_PIXELS",
        )
    return samples, notes, orientation


def _decoded(path: Path, kind: str, mode: str) -> tuple[Array, list[str]]:
    """Pixels (y, x) or (y, x, sample), and notes."""
    try:
        if kind == "JPEG 2000" and mode != "P":
            import imagecodecs

            return np.asarray(imagecodecs.jpeg2k_decode(read_regular(path))), []
        if kind == "PNG" and head_of(path)[24:25] == b"\x10":
            import imagecodecs

            return np.asarray(imagecodecs.png_decode(read_regular(path))), []
        return _pillow(path)
    except SlideError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        raise SlideError(
            f"{path.name}: cannot be decoded to its end ({type(error).__name__}: {error}); it is damaged or cut short. "
            "Copy it again.",
            "E_TRUNCATED",
        ) from error


def _pillow(path: Path) -> tuple[Array, list[str]]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as file:
            image: Image.Image = file
            notes = []
            if image.mode in ("P", "PA"):
                notes.append("palette colours are read as RGB")
                image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
            elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                notes.append(f"{image.mode} colours are read as RGB without their colour profile")
                image = image.convert("RGB")
            elif image.mode == "1":
                notes.append("black and white is read as grey")
                image = image.convert("L")
            return np.asarray(image), notes


def _channels(samples: Array) -> tuple[Array, list[str]]:
    """(y, x, sample) to (channel, y, x) without alpha."""
    notes = []
    if samples.shape[-1] in (2, 4):
        notes.append("transparency is laid over white")
        samples = colour.over(samples[..., :-1], samples[..., -1], int(np.iinfo(samples.dtype).max))
    return np.moveaxis(samples, -1, 0), notes
