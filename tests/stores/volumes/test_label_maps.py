"""A volume whose numbers name regions is known as one, and a scan is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.stores.volumes.reader import open_volume

Array = np.ndarray[Any, Any]
Nifti = Callable[..., Path]


def regions(dtype: str = "uint8") -> Array:
    cells = np.zeros((36, 36, 36), dtype)
    cells[4:18, 4:30, 4:30] = 4
    cells[18:32, 4:30, 4:30] = 47
    cells[12:22, 12:24, 13:20] = 11
    return cells


def scan(dtype: str = "int16") -> Array:
    at = sum((g / 36 - 0.5) ** 2 for g in np.indices((36, 36, 36)))
    return (np.where(at < 0.2, 300 * (1 - at), 0) + np.random.default_rng(0).integers(0, 12, (36,) * 3)).astype(dtype)


def limb(low: int, high: int) -> Array:
    """A bone in a limb in air, in Hounsfield units clipped to a window, as is usual before training."""
    near = sum((g / 36 - 0.5) ** 2 for g in np.indices((36, 36, 36))[:2])
    values = np.where(near < 0.07, np.random.default_rng(0).normal(40, 60, (36,) * 3), -1000)
    return np.clip(np.where(near < 0.003, 900, values), low, high).astype(np.int16)


def reason(path: Path) -> str:
    with open_volume(path) as volume:
        return volume.labels


def test_few_whole_numbers_that_fill_regions_are_labels(nifti: Nifti) -> None:
    assert "few" in reason(nifti(regions()))
    assert "few" in reason(nifti(np.where(regions() > 0, regions("int16") % 3 + 1, 0).astype(np.int16)))
    assert "few" in reason(nifti(regions()[4:32, 2:32, 4:30]))  # cropped: 0 is not the most frequent value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_that_were_saved_as_floats_are_labels(nifti: Nifti, dtype: str) -> None:
    assert "few" in reason(nifti(regions(dtype)))
    assert reason(nifti(regions(dtype) / 2)) == ""  # 5.5 is no label


@pytest.mark.parametrize(
    "cells",
    [
        scan(),
        scan("uint8") // 32,  # few values and noise
        scan("float32"),
        limb(-160, 240),
        limb(-1000, 400),
        limb(-160, 240).astype("float32"),
        (regions() > 0).astype(np.uint8),  # a mask: rounded means are 0 or 1
        np.clip(200 - 10 * np.sqrt(sum((g - 18.0) ** 2 for g in np.indices((36,) * 3))), 0, 30).astype(
            np.uint8
        ),  # smooth
    ],
)
def test_scans_and_masks_are_not(nifti: Nifti, cells: Array) -> None:
    assert reason(nifti(cells)) == ""


def test_what_a_file_says_goes_before_its_looks(nifti: Nifti) -> None:
    assert "LABEL" in reason(nifti(scan(), change=lambda header: header.set_intent(1002)))
    assert "dseg" in reason(nifti(scan(), name="sub-01_dseg.nii.gz"))
