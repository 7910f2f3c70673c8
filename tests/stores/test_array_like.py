"""ArrayLike: indexed as numpy would index the whole, and read only where it is indexed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tile_engine.stores.array_like import ArrayLike
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage

KEYS = (0, -1, slice(2, 9), (slice(None), 3), (..., 1), (1, ..., 2), (slice(0, 7, 2), slice(3, None)), ..., slice(5, 2))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredImage, Any]:
    frame = Frame(("y", "x"), (20, 13), (1.0, 1.0))
    values = np.random.default_rng(0).integers(0, 255, (3, 20, 13)).astype(np.uint8)
    image = StoredImage.create(tmp_path_factory.mktemp("a") / "image", ImageSpec((frame,), 3, "uint8", (8, 8), (4, 4)))
    for box in frame.box.cut((8, 8)):
        image.write(0, box, values[(slice(None), *box.slices)])
    return image, values


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("options", "axes"), [({}, (0, 1, 2)), ({"rgb": True}, (1, 2, 0)), ({"channel": 1}, None)])
def test_indices_give_what_numpy_gives(
    stored: tuple[StoredImage, Any], key: Any, options: dict[str, Any], axes: tuple[int, ...] | None
) -> None:
    whole = stored[1].transpose(axes) if axes else stored[1][1]
    like = ArrayLike(stored[0], 0, **options)
    assert (like.shape, like.dtype, like.ndim, like.size) == (whole.shape, whole.dtype, whole.ndim, whole.size)
    np.testing.assert_array_equal(like[key], whole[key])
    np.testing.assert_array_equal(np.asarray(like), whole)


def test_only_what_is_indexed_is_read(stored: tuple[StoredImage, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    boxes: list[Box] = []
    read = StoredImage.read
    monkeypatch.setattr(StoredImage, "read", lambda self, box, level=0: (boxes.append(box), read(self, box, level))[1])
    ArrayLike(stored[0], 0, rgb=True)[3:5, 7]
    assert boxes == [Box((3, 7), (5, 8))]


@pytest.mark.parametrize(
    ("key", "error"), [(20, IndexError), ((0, 0, 0, 0), IndexError), (slice(None, None, -1), TypeError)]
)
def test_what_cannot_be_indexed_is_refused(stored: tuple[StoredImage, Any], key: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ArrayLike(stored[0], 0)[key]
