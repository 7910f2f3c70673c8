"""patch_features: the tiles of a slide as HDF5 in the layout of TRIDENT and CLAM: positions of patches and their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...stores.slides.input_kind import SLIDE_INPUT
from ..steps.settings import PatchSettings
from .picked import Picked

MICROMETRES_AT_1X = 10.0
"""Micrometres a pixel at a magnification of 1, as TRIDENT and CLAM count: 0.5 are 20x."""


def write_patch_features(picked: Picked, folder: Path) -> None:
    """Write NAME.h5, by the slide's `plain_name`: coords int64 (n, 2), the first pixel (x, y) of every patch in level 0, and
    features float32 (n, F).

    A patch reaches over the cell that it stands for, so coordinates at the slide's edge may be negative.
    """
    import h5py

    table, record = picked.tiles(), picked.record
    settings: PatchSettings = picked.patch
    scale, (height, width) = record.native_scale[1], record.native_shape
    attributes: dict[str, Any] = {
        "patch_size": settings.side,
        "patch_size_level0": round(settings.side * scale),
        "level0_magnification": round(MICROMETRES_AT_1X / record.native_spacing),
        "target_magnification": round(MICROMETRES_AT_1X / record.spacing[1]),
        "overlap": settings.side - settings.step,
        "name": SLIDE_INPUT.stem(record.name),
        "savetodir": "",
        "level0_width": width,
        "level0_height": height,
        "patch_level": 0,
        "custom_downsample": round(scale),
    }
    with h5py.File(folder / f"{picked.plain_name}.h5", "w", libver="earliest") as file:
        coords = file.create_dataset("coords", data=picked.corners(table), track_times=False)
        coords.attrs.update(attributes)
        features = file.create_dataset("features", data=np.ascontiguousarray(table.X), track_times=False)
        features.attrs["name"] = attributes["name"]
