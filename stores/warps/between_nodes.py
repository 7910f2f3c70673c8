"""between_nodes: pixels at positions that are known at nodes, and linear between them, in whole parts of a pixel.

Positions are integers, so that a pixel is the same whatever window was read, and whatever box is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..frame import Array, Box

NODE = 16
"""Pixels between nodes, at most."""
STRIP = 64
"""Rows that are interpolated at a time."""
PARTS, WEIGHTS, FINE = 32, 2 * NODE, 512
"""Positions of pixels are whole numbers of 1 / PARTS of one, as OpenCV takes them; those of nodes of 1 / FINE; and shares of
two nodes of 1 / WEIGHTS. Powers of two."""
SHARE = WEIGHTS * FINE // PARTS
"""Of what is linear between nodes, in one part of a pixel."""
FAR = 1 << 15
"""Cells from the window within which positions are told apart."""
NOWHERE = -(1 << 30)
"""A position that the warp does not have."""


def fixed(cells: Array, *, start: Sequence[int] = (0, 0)) -> Array:
    """Positions in cells (y, x, 2) -> from the centre of the cell `start`, int32, in 1 / FINE; those not finite NOWHERE.

    Another start changes them by whole cells, and so nothing of what lies between them.
    """
    known = np.isfinite(cells).all(-1, keepdims=True)
    whole = np.rint(np.clip(np.where(known, cells, 0), -(2.0**40), 2.0**40) * FINE).astype(np.int64)
    near = np.clip(whole - np.array(start) * FINE - FINE // 2, -FAR * FINE, FAR * FINE)
    return np.where(known, near, NOWHERE).astype(np.int32)


def strips(nodes: Array, step: int, box: Box) -> Iterator[tuple[slice, Array, Array]]:
    """Rows of the box, and the x and y of their pixels in 1 / PARTS of a pixel, int32, NOWHERE where a node around has none.

    Between nodes positions are linear. The two arrays are written over by the next strip; strips stay in the processor's
    cache, where whole boxes do not.
    """
    height, width = box.shape
    lost = (nodes == NOWHERE).any(-1)
    (row, row_weight), (column, column_weight) = (
        _between(a, n, step) for a, n in zip(box.start, box.shape, strict=True)
    )
    # twice WEIGHTS * FINE * FAR fits int32: the x of a row of nodes are exact before they are rounded to 1 / FINE
    axes = []
    for plane in (np.ascontiguousarray(nodes[..., axis]) for axis in (1, 0)):
        before, after = np.take(plane, column, axis=1), np.take(plane, column + 1, axis=1)
        values = (before * np.int32(WEIGHTS) + (after - before) * column_weight + WEIGHTS // 2) >> _power(WEIGHTS)
        axes.append((values[:-1] * np.int32(WEIGHTS) + SHARE // 2, np.diff(values, axis=0)))
    missing = lost[:, column] | lost[:, column + 1] if lost.any() else None
    buffers = np.empty((2, min(STRIP, height), width), np.int32)
    spare, weights = np.empty((2, *buffers.shape[1:]), np.int32)
    weights[...] = row_weight[: len(weights), None]  # of every strip, since they are a multiple of a step apart
    for start in range(0, height, STRIP):
        part = slice(start, min(start + STRIP, height))
        count, low = part.stop - part.start, row[part]
        for (values, slopes), out in zip(axes, buffers, strict=True):
            now, above = out[:count], spare[:count]
            np.take(values, low, axis=0, out=now, mode="clip")
            np.take(slopes, low, axis=0, out=above, mode="clip")
            above *= weights[:count]
            now += above
            now >>= _power(SHARE)
            if missing is not None:
                now[missing[low] | missing[low + 1]] = NOWHERE
        yield part, buffers[0, :count], buffers[1, :count]


def _power(number: int) -> int:
    return number.bit_length() - 1


def _between(start: int, count: int, step: int) -> tuple[Array, Array]:
    """The node before each of `count` pixels from `start` on, counted from the first, and the share of the next one."""
    twice = 2 * (np.arange(count) + step + start % step) + 1 - step  # 2 * step * (node + share)
    low = twice // (2 * step)
    return low, ((twice - 2 * step * low) * (WEIGHTS // (2 * step))).astype(np.int32)


def interpolate(out: Array, pixels: Array, rows: Iterator[tuple[slice, Array, Array]], background: int) -> None:
    import cv2

    cv2.setNumThreads(1)  # units run in parallel already
    pictures = []
    for first in range(0, len(pixels), 3):
        planes = [np.ascontiguousarray(plane) for plane in pixels[first : first + 3]]
        # four channels are interpolated in less than half the time of three
        pictures.append(planes[0] if len(planes) == 1 else cv2.merge([*planes, *planes[: 4 - len(planes)]]))
    height, width = min(STRIP, out.shape[1]), out.shape[2]
    buffers = [np.empty((height, width, *picture.shape[2:]), picture.dtype) for picture in pictures]
    places = np.empty((2, height, width), np.float32)
    for part, *positions in rows:
        for values, place in zip(positions, places, strict=True):
            np.copyto(place[: len(values)], values, casting="same_kind")
            place[: len(values)] *= np.float32(1 / PARTS)
        x, y = places[:, : part.stop - part.start]
        for n, (picture, buffer) in enumerate(zip(pictures, buffers, strict=True)):
            values = cv2.remap(
                picture,
                x,
                y,
                cv2.INTER_LINEAR,
                dst=buffer[: len(x)],
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(background,) * 4,
            )
            for channel in range(3 * n, min(3 * n + 3, len(out))):
                out[channel, part] = values if values.ndim == 2 else values[..., channel - 3 * n]


def take_nearest(out: Array, pixels: Array, rows: Iterator[tuple[slice, Array, Array]], background: int) -> None:
    """The nearest pixel; any type of number."""
    for part, *positions in rows:
        x, y = ((values + PARTS // 2) >> _power(PARTS) for values in positions)
        inside = (y >= 0) & (y < pixels.shape[1]) & (x >= 0) & (x < pixels.shape[2])
        values = pixels[:, np.where(inside, y, 0), np.where(inside, x, 0)]
        out[:, part] = np.where(inside, values, np.asarray(background, out.dtype))
