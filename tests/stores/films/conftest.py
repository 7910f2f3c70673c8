"""Films made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_films import dicom_film

Array = np.ndarray[Any, Any]


@pytest.fixture
def dicom(tmp_path: Path) -> Callable[..., Path]:
    """`dicom(pixels, name=..., bits=..., WindowCenter=...)` -> path."""

    def write(pixels: Array, *, name: str = "film.dcm", **options: Any) -> Path:
        return dicom_film(tmp_path / name, pixels, **options)

    return write


@pytest.fixture
def grey() -> Array:
    """A film (40, 50) of 12 bits."""
    return np.random.default_rng(3).integers(0, 4096, (40, 50)).astype(np.uint16)
