"""Colours of TIFFs: what the stored samples of a page are, by its tags, and those that are not read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SlideError
from ..frame import Array

JPEG_2000 = (33003, 33004, 33005)
APERIO_YCBCR = 33003
UNREADABLE = "E_UNSUPPORTED_PIXELS"
MAX_TIFF_CHANNELS = 64


def colour_model(key: Any, name: str, pages: int) -> tuple[str, list[str]]:
    """(colour model of the stored samples, notes). Raises SlideError for samples that are not read."""
    photometric, samples, extra = (
        int(key.photometric),
        int(key.samplesperpixel),
        tuple(int(e) for e in key.extrasamples),
    )
    dtype = None if key.dtype is None else np.dtype(key.dtype)
    if dtype is None or dtype not in (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.bool_)):
        raise SlideError(
            f"{name}: pixels of type {'unknown' if dtype is None else dtype.name} are not read; whole numbers of 8 or "
            "16 bits without a sign are. Convert it first (for example with bfconvert).",
            UNREADABLE,
        )
    if samples * pages > MAX_TIFF_CHANNELS:
        raise SlideError(f"{name}: {samples * pages} channels are more than {MAX_TIFF_CHANNELS}.", UNREADABLE)
    if key.decode.__name__.startswith("decode_raise"):
        try:
            key.decode(None, 0)
        except (ValueError, NotImplementedError) as error:
            raise SlideError(
                f"{name}: its pixels cannot be decoded ({error}). Convert it first.", UNREADABLE
            ) from error
    jpeg = int(key.compression) in (6, 7, 34892, 33007)
    if photometric == 6 and not jpeg and int(key.compression) not in (*JPEG_2000, 34712, 50001, 50002):
        raise SlideError(
            f"{name}: YCbCr colours without JPEG compression are not read. Convert it to RGB first.", UNREADABLE
        )
    alpha, before = bool(extra) and extra[-1] in (1, 2), "premultiplied " if extra and extra[-1] == 1 else ""
    if photometric in (2, 6) and samples >= 3:
        if pages > 1 or dtype == np.bool_:
            raise SlideError(f"{name}: {pages} pages of {dtype.name} colours in one image are not read.", UNREADABLE)
        if samples > 3 and _states_channels(key):
            return "channels", [f"its axes say that its {samples} planes are channels, though its tags say colours"]
        if samples == 4 and alpha:
            return f"{before}rgba", ["transparency is laid over white"]
        if int(key.compression) == APERIO_YCBCR and dtype == np.uint8:
            return "ycbcr", ["compression 33003 holds YCbCr, which is converted to RGB"]
        return "rgb", [f"{samples - 3} samples beyond red, green and blue are dropped"] if samples > 3 else []
    if photometric == 3 and samples == 1 and pages == 1 and dtype == np.uint8:
        return "palette", ["palette colours are read as RGB"]
    if photometric == 5 and samples >= 4 and pages == 1:
        return "cmyk", ["CMYK inks are read as RGB without their colour profile"]
    if photometric == 0 and samples == 1 and pages == 1:
        return "inverted", ["white is stored as zero; grey values are turned round"]
    if photometric in (0, 1, 2, 3) and dtype != np.bool_:
        if samples == 2 and alpha and pages == 1:
            return f"{before}greya", ["transparency is laid over white"]
        return ("grey" if samples * pages == 1 else "channels"), []
    if photometric == 1 and samples == 1 and pages == 1:
        return "grey", []
    words = str(getattr(key.photometric, "name", photometric))
    raise SlideError(f"{name}: colours of the kind {words} with {samples} samples are not read.", UNREADABLE)


def palette_of(key: Any) -> Array:
    """Table (256, 3) of 8 bits from the tag ColorMap (3, 256) of 16."""
    table = np.asarray(key.colormap)
    return (table.T >> 8).astype(np.uint8) if table.max(initial=0) > 255 else table.T.astype(np.uint8)


def _states_channels(key: Any) -> bool:
    """Whether tifffile wrote planes that its user called channels; by itself it tags three as colours, a fourth as alpha."""
    from tifffile.tifffile import shaped_description_metadata

    if int(key.planarconfig) != 2 or not (words := key.shaped_description):
        return False
    return str(shaped_description_metadata(words).get("axes", "")).startswith("C")
