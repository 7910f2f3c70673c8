"""label_file: images of labels that other programs made, PNG or TIFF, read and written without a change of their numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ...errors import SettingsError
from ..files import write_whole
from ..foreign import foreign
from ..frame import Array
from ..regular import open_regular
from .outside_mask import IMAGES, MAX_PIXELS, image_shape

PNG_TYPES = ("uint8", "uint16")


def read_label_file(path: Path) -> Array:
    """Labels (y, x), of an integer type. Raises SettingsError (E_LABEL_IMAGE) for a file that is no image of labels."""
    with foreign(lambda why: _no_labels(path, why)):
        height, width = image_shape(path)
        if height * width > MAX_PIXELS:
            raise ValueError(f"it has {width} x {height} pixels, more than the {MAX_PIXELS:,} that are read at once")
        if path.suffix.lower() == ".png":
            values = _png(path)
        else:
            import tifffile

            with open_regular(path) as file, tifffile.TiffFile(file) as tiff:
                if tiff.series[0].size != height * width:
                    raise ValueError(f"it has the axes {tiff.series[0].shape}, not rows and columns")
                values = np.squeeze(tiff.series[0].asarray())
        if values.shape != (height, width) or values.dtype.kind not in "bui":
            raise ValueError(f"it holds {values.dtype} of shape {values.shape}, and labels are whole numbers (y, x)")
    return values.astype(np.uint8) if values.dtype == bool else values


def write_label_file(path: Path, labels: Array, *, spacing: float) -> None:
    """Write labels (y, x) as PNG or TIFF, by the suffix; the TIFF states `spacing`, in micrometres a pixel.

    Raises SettingsError (E_LABEL_IMAGE) for numbers that a PNG cannot hold.
    """
    data = io.BytesIO()
    if path.suffix.lower() == ".png":
        from PIL import Image

        if labels.dtype.name not in PNG_TYPES:
            raise SettingsError(f"{path.name}: a PNG holds no {labels.dtype}; write a TIFF.", "E_LABEL_IMAGE")
        Image.fromarray(labels).save(data, "PNG")
    else:
        import tifffile

        density = (1e4 / spacing, 1e4 / spacing)
        tifffile.imwrite(
            data, labels, compression="zlib", resolution=density, resolutionunit="CENTIMETER", metadata=None
        )
    write_whole(path, data.getvalue())


def _png(path: Path) -> Array:
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
    try:
        with open_regular(path) as file, Image.open(file) as picture:
            if len(picture.getbands()) != 1:
                raise ValueError(f"it has {len(picture.getbands())} channels, and labels have one")
            return np.asarray(picture)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _no_labels(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path} is no image of labels ({why}). Give {' or '.join(IMAGES)} with one whole number a pixel.",
        "E_LABEL_IMAGE",
    )
