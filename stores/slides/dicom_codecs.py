"""DICOM codecs: the decoder of a frame by its transfer syntax; the size that a stream states is checked before decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array
from . import colour
from .jpeg_colour import says_ycbcr
from .stated_size import stated_size
from .strict_jpeg import strict_decoder

_PREFIX = "1.2.840.10008.1.2"
_JPEG = (f"{_PREFIX}.4.50", f"{_PREFIX}.4.51")
_LOSSLESS_JPEG = (f"{_PREFIX}.4.57", f"{_PREFIX}.4.70")
_JPEG_LS = (f"{_PREFIX}.4.80", f"{_PREFIX}.4.81")
_JPEG_2000 = (f"{_PREFIX}.4.90", f"{_PREFIX}.4.91", f"{_PREFIX}.4.201", f"{_PREFIX}.4.202", f"{_PREFIX}.4.203")
_JPEG_XL = (f"{_PREFIX}.4.110", f"{_PREFIX}.4.111", f"{_PREFIX}.4.112")
_RLE = (f"{_PREFIX}.5",)
_NATIVE = (_PREFIX, f"{_PREFIX}.1")
_RGB = 2
Decode = Callable[[bytes], Array]
"""(bytes of a frame) -> (y, x, sample), in RGB where there are three samples. Raises whatever its library raises."""


def decoder(dataset: Any, name: str) -> Decode:
    """The decoder of a file's frames. Raises SlideError (E_UNSUPPORTED_PIXELS) for a syntax or colours that are not read."""
    import imagecodecs

    syntax, photometric = str(dataset.file_meta.TransferSyntaxUID), str(dataset.PhotometricInterpretation)
    shape = (int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel))
    dtype = np.dtype(np.uint8 if int(dataset.BitsAllocated) == 8 else np.uint16)
    planar = shape[2] > 1 and int(dataset.get("PlanarConfiguration") or 0) == 1
    convert = shape[2] == 3 and photometric.startswith("YBR_FULL")
    if syntax in _JPEG:
        return _checked(_jpeg(shape, dtype, is_rgb=photometric == "RGB"), shape[:2])
    if syntax in _JPEG_2000:
        inner: Decode = (
            imagecodecs.jpeg2k_decode
        )  # where the stream itself is transformed, the tag says YBR_ICT or YBR_RCT
    elif syntax in _JPEG_XL:
        inner, convert = imagecodecs.jpegxl_decode, False
    elif syntax in _JPEG_LS:
        inner = imagecodecs.jpegls_decode
    elif syntax in _LOSSLESS_JPEG:
        inner = imagecodecs.ljpeg_decode if shape[2] == 1 else imagecodecs.jpegsof3_decode
    elif syntax in _RLE:
        planar = shape[2] > 1
        inner = lambda data: np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)  # noqa: E731
    elif syntax in _NATIVE and photometric != "YBR_FULL_422":
        inner = lambda data: np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)  # noqa: E731
    else:
        raise SlideError(
            f"{name}: pixels in the transfer syntax {syntax} with colours {photometric} are not read. Convert it first.",
            "E_UNSUPPORTED_PIXELS",
        )

    if convert and dtype != np.uint8:
        raise SlideError(
            f"{name}: colours {photometric} of {8 * dtype.itemsize} bits are not read, only of 8. Convert it to RGB first.",
            "E_UNSUPPORTED_PIXELS",
        )

    def decode(data: bytes) -> Array:
        pixels = np.asarray(inner(data))
        if pixels.ndim == 1:
            pixels = np.moveaxis(pixels.reshape(shape[2], *shape[:2]), 0, -1) if planar else pixels.reshape(shape)
        pixels = _fitting(pixels, shape)
        return colour.from_ycbcr(pixels) if convert else pixels

    return decode if syntax in (*_NATIVE, *_RLE) else _checked(decode, shape[:2])  # those allocate what the frame needs


def _checked(decode: Decode, size: tuple[int, ...]) -> Decode:
    """`decode` for streams that state no other size than the frame's: it is the stream that decides what is allocated."""

    def checked(data: bytes) -> Array:
        if (stated := stated_size(data)) != size:
            raise TileError(f"a picture of {stated} pixels is in a frame of {size}", "E_BOMB")
        return decode(data)

    return checked


def _jpeg(shape: tuple[int, int, int], dtype: np.dtype[Any], *, is_rgb: bool) -> Decode:
    """JPEG of 8 bits is decoded strictly. A stream that says that it holds YCbCr does, whatever the tag says."""
    import imagecodecs

    as_rgb, as_told = (strict_decoder(None, space, shape[2]) for space in (_RGB, None))

    def decode(data: bytes) -> Array:
        if dtype != np.uint8:
            return _fitting(np.asarray(imagecodecs.jpeg8_decode(data)), shape)
        return _fitting((as_rgb if is_rgb and not says_ycbcr(data) else as_told)(data), shape)

    return decode


def _fitting(pixels: Array, shape: tuple[int, int, int]) -> Array:
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape != shape:
        raise TileError(f"decoded pixels of the shape {pixels.shape} are in a frame of {shape}", "E_BOMB")
    return pixels
