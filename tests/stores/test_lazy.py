"""Stored images as xarray: indexed like numpy, and only the shards that are asked for are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.lazy import as_dataarray

SHAPE = (3, 23, 17)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredImage, np.ndarray]:
    frame = Frame(("y", "x"), SHAPE[1:], (2.0, 0.5), (10.0, 0.0))
    image = StoredImage.create(tmp_path_factory.mktemp("lazy"), ImageSpec((frame,), 3, "uint16", (8, 8), (4, 4)))
    values = np.random.default_rng(0).integers(0, 9999, SHAPE, np.uint16)
    for box in frame.box.cut((8, 8)):
        image.write(0, box, values[(slice(None), *box.slices)])
    return image, values


def keys(n: int) -> Any:
    ends = st.none() | st.integers(-n - 3, n + 3)
    steps = st.none() | st.integers(-4, 4).filter(bool)
    # xarray itself stumbles over a slice that runs backwards over nothing
    slices = st.builds(slice, ends, ends, steps).filter(lambda s: (s.step or 1) > 0 or len(range(n)[s]))
    return st.integers(-n, n - 1) | slices | st.lists(st.integers(-n, n - 1), max_size=4)


@settings(deadline=None, max_examples=150)
@given(st.tuples(*map(keys, SHAPE)))
def test_any_index_gives_what_numpy_gives(stored: tuple[StoredImage, np.ndarray], key: tuple[Any, ...]) -> None:
    image, values = stored
    expected = values
    for axis, one in reversed(list(enumerate(key))):
        expected = expected[(slice(None),) * axis + (one,)] if not isinstance(one, list) else expected.take(one, axis)
    found = as_dataarray(image, 0, "a")[dict(zip(("c", "y", "x"), key, strict=True))]
    np.testing.assert_array_equal(found.values, expected)


def test_coordinates_are_the_micrometres_of_the_centres(stored: tuple[StoredImage, np.ndarray]) -> None:
    array = as_dataarray(stored[0], 0, "a")
    assert array.dims == ("c", "y", "x") and array.name == "a"
    np.testing.assert_allclose(array.y, 10 + 2 * (np.arange(23) + 0.5))
    np.testing.assert_allclose(array.x, 0.5 * (np.arange(17) + 0.5))


def test_only_the_shards_asked_for_are_read(stored: tuple[StoredImage, np.ndarray], tmp_path: Path) -> None:
    image, values = stored
    lost = image.path / "0" / "c" / "0" / "0" / "0"
    lost.rename(tmp_path / "kept")
    try:
        array = as_dataarray(image, 0, "a")
        np.testing.assert_array_equal(array[:, 8:, 8:].values, values[:, 8:, 8:])
    finally:
        (tmp_path / "kept").rename(lost)
