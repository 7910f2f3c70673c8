"""ArrayLike: a level of a stored image with numpy's indexing, read when it is indexed: what napari takes for an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from .frame import Array, Box
from .image import StoredImage


class ArrayLike:
    """All channels of a level (c, y, x), one of them (y, x), or with `rgb` the channels last (y, x, c); labels are (y, x).

    Volumes have z in front of y.
    """

    def __init__(self, image: StoredImage, level: int, *, channel: int | None = None, rgb: bool = False) -> None:
        self._image, self._level, self._channel, self._rgb = image, level, channel, rgb
        space, spec = image.frames[level].shape, image.levels[level].spec
        has_channels = spec.names[0] == "c" and channel is None
        lead = (image.channels,) if has_channels and not rgb else ()
        self.shape: tuple[int, ...] = (*lead, *space, *((image.channels,) if rgb else ()))
        self.ndim: int = len(self.shape)
        self.dtype = np.dtype(spec.dtype)
        self.size = int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        """Indices, slices with positive steps, and an ellipsis; nothing else is read lazily."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        if len(keys) > self.ndim:
            raise IndexError(f"an array of {self.ndim} axes has no index {key!r}")
        spans = [self._span(k, n) for k, n in zip(keys, self.shape, strict=True)]
        pixels = self._read([range(a, b) for a, b, _ in spans])
        every = [
            0 if isinstance(k, int | np.integer) else slice(None, None, step)
            for k, (_, _, step) in zip(keys, spans, strict=True)
        ]
        return np.asarray(pixels[tuple(every)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        values = self[...]
        return values if dtype is None else values.astype(dtype)

    @staticmethod
    def _span(key: Any, size: int) -> tuple[int, int, int]:
        if isinstance(key, int | np.integer):
            index = int(key) + (size if key < 0 else 0)
            if not 0 <= index < size:
                raise IndexError(f"index {key} is out of bounds for an axis of size {size}")
            return index, index + 1, 1
        if not isinstance(key, slice) or (key.step or 1) < 1:
            raise TypeError(f"{key!r} is neither an index nor a slice with a positive step")
        start, stop, step = key.indices(size)
        return start, max(start, stop), step

    def _read(self, spans: list[range]) -> Array:
        axes = len(self._image.frames[self._level].shape)
        space = spans[:axes] if self._rgb else spans[-axes:]
        box = Box(tuple(s.start for s in space), tuple(s.stop for s in space))
        pixels = self._image.read(box, self._level)
        if self._rgb:
            return np.moveaxis(pixels, 0, -1)[(..., slice(spans[-1].start, spans[-1].stop))]
        if self.ndim > axes:
            return pixels[spans[0].start : spans[0].stop]
        return np.asarray(pixels[self._channel or 0])
