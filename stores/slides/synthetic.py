"""Synthetic slides of known structure for the demo, made from the tissue section that scikit-image contains.

Every slide is a piece of tissue on glass with three regions, and its stain fades along a known direction:

```text
  .--~~~~~~~~--.      crypts   whole glands, turned every way, set into stroma
 (  crypts      )     stroma   connective tissue alone
 (~~~ stroma ~~~)     sheet    epithelium without gaps, as in a solid growth
  `--. sheet .--'     glass    bright, slightly noisy
```
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..files import partial_path
from ..frame import Array

DEMO_SPACING = 0.5
"""Micrometres a pixel of the slides, as their resolution tags say."""
PIXELS_PER_CELL = 16
"""Pixels a cell of the layout."""
GLASS, CRYPTS, STROMA, SHEET = 0, 1, 2, 3
"""The regions of a layout."""
_GLANDS = ((296, 238, 512, 396), (0, 268, 304, 470), (0, 0, 268, 282))
"""Boxes (top, left, bottom, right) around the section's glands."""
_LUMENS = ((280, 0, 512, 56), (0, 50, 60, 160), (0, 268, 200, 390))
"""Boxes that hold empty space, which is neither connective tissue nor epithelium."""
_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], np.float32)
"""Optical density of haematoxylin, eosin and diaminobenzidine (Ruifrok and Johnston 2001)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a demo slide, on a grid of 16 by 16 pixels."""

    regions: Array
    """uint8 (y, x): glass, crypts, stroma or sheet."""
    strength: Array
    """float32 (y, x): the brown stain, as a factor of the section's own."""
    turn: int
    """Quarter turns that the piece of tissue was laid down with."""


DEMO_SETTINGS: dict[str, Any] = {"patch": 64, "stride": 32, "k": (4, 8), "samples": 3000, "early_stop": True}
"""Settings of the demo's run: patches and steps small enough that its small slides' maps show structure."""


AT_ONCE = 2
"""Slides that are painted at a time; each takes some 200 megabytes."""


def make_slides(folder: Path, *, seed: int = 0, count: int = 4) -> list[Path]:
    """Write `count` pyramidal tiled JPEG TIFFs, 2,000 to 3,000 pixels a side; the same seed gives the same bytes.

    Raises OSError where the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"colon-{number + 1}.tif" for number in range(count)]

    def make(number: int) -> None:
        partial = partial_path(paths[number])  # a slide is whole or absent
        write_demo_pyramid(partial, paint(layout(number, seed=seed), number, seed=seed))
        partial.replace(paths[number])

    _turned("stroma"), _turned("sheet")  # all slides share them
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(make, range(count)))
    _turned.cache_clear()  # frees a hundred megabytes
    return paths


def layout(number: int, *, seed: int = 0) -> Layout:
    """The regions and the stain of slide `number`, counted from 0."""
    from scipy.ndimage import zoom

    rng = np.random.default_rng((seed, number, 1))
    shape = ((136, 176), (160, 136), (128, 184), (152, 152))[number % 4]
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    # the outline: an ellipse whose radius wanders over a few slow waves
    angle, radius = np.arctan2(y, x), np.hypot(y / 0.86, x / 0.88)
    waves = range(2, 9)
    outline = 0.97 + sum(rng.normal(0, 0.16) / k * np.cos(k * angle + rng.uniform(0, 7)) for k in waves)
    # the regions: bands along a turned axis, whose borders wander too
    turn = int(rng.integers(4))
    along = (y, x, -y, -x)[turn]
    wander = zoom(rng.normal(0, 1, (6, 6)), [n / 6 for n in shape], order=3, mode="nearest")[: shape[0], : shape[1]]
    depth = along + 0.14 * wander
    regions = np.where(depth < -0.12, CRYPTS, np.where(depth < 0.22, STROMA, SHEET))
    regions = np.where(radius < outline, regions, GLASS).astype(np.uint8)
    # the stain: weak on one side, strong on the other, across the bands
    across = (x, y, x, y)[turn] * (1 if number % 2 else -1)
    overall = (1.0, 0.8, 1.15, 0.65)[number % 4]
    strength = overall * (0.66 + 0.36 * np.tanh(5 * across))
    return Layout(regions, strength.astype(np.float32), turn)


def paint(plan: Layout, number: int, *, seed: int = 0) -> Array:
    """The slide's pixels, uint8 (y, x, 3)."""
    from scipy.ndimage import zoom

    rng = np.random.default_rng((seed, number, 2))
    shape = tuple(n * PIXELS_PER_CELL for n in plan.regions.shape)
    canvas = np.full((*shape, 3), (0.20, 0.22, 0.14), np.float32)
    _quilt(canvas, _turned("stroma"), where=(plan.regions == STROMA) | (plan.regions == CRYPTS), rng=rng)
    sheet = np.full((*shape, 3), (0.55, 0.75, 0.95), np.float32)
    _quilt(sheet, _turned("sheet"), where=plan.regions == SHEET, rng=rng)
    sheet -= canvas
    sheet *= _soft(plan.regions == SHEET, shape)[..., None]
    canvas += sheet
    _set_crypts(canvas, plan.regions, rng=rng)
    # the brown stain alone is made weaker or stronger; everything off the tissue is glass
    brown = np.maximum(canvas @ np.linalg.inv(_HED)[:, 2], 0) * (_enlarged(plan.strength, shape) - 1)
    canvas += brown[..., None] * _HED[2]
    canvas *= _soft(plan.regions != GLASS, shape)[..., None]
    haze = zoom(rng.normal(0, 1, (4, 5)), [n / m for n, m in zip(plan.regions.shape, (4, 5), strict=True)], order=3)
    canvas += (0.035 + 0.008 * _enlarged(haze, shape))[..., None] * np.array([0.9, 1.0, 1.2], np.float32)
    np.negative(canvas, out=canvas)
    np.exp(canvas, out=canvas)
    canvas *= 256
    canvas += rng.integers(-4, 3, shape, np.int8)[..., None]
    np.clip(canvas, 0, 255, out=canvas)
    return canvas.astype(np.uint8)


@lru_cache(maxsize=1)
def _section() -> tuple[Array, Array]:
    """The section's optical density, float32 (y, x, 3), and where it is epithelium, bool (y, x).

    Stains add up in optical density; so do soft edges, which is why everything here is blended in it.
    """
    import skimage.data
    from scipy.ndimage import binary_closing, binary_opening, gaussian_filter

    section: Array = skimage.data.immunohistochemistry()
    density = -np.log((section.astype(np.float32) + 1) / 256)
    # stains are never negative: without this, taking brown away would leave a green that no dye has
    density = np.maximum(density @ np.linalg.inv(_HED), 0) @ _HED
    brown = gaussian_filter(density[..., 2] - 0.55 * density[..., 0], 4) > 0.22
    return density, binary_opening(
        binary_closing(np.pad(brown, 9, mode="edge"), iterations=8)[9:-9, 9:-9], iterations=4
    )


@lru_cache(maxsize=2)
def _turned(texture: str) -> list[Array]:
    """The section at eight angles, float32 (y, x, 4); the last channel is 1 where it shows `stroma` or `sheet`."""
    from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, rotate

    density, epithelium = _section()
    if texture == "sheet":
        usable = binary_erosion(epithelium, iterations=6)
    else:
        usable = ~binary_dilation(epithelium, iterations=9)
    for top, left, bottom, right in _LUMENS[: 3 if texture == "stroma" else 2]:
        usable[top:bottom, left:right] = False
    if texture == "sheet":  # the slit inside one gland
        usable &= gaussian_filter(density.sum(2), 3) > 0.9
    usable[:3] = usable[-3:] = usable[:, :3] = usable[:, -3:] = False
    stacked = np.dstack([density, gaussian_filter(usable.astype(np.float32), 3)])
    return [np.ascontiguousarray(rotate(stacked, angle, order=1, mode="constant")) for angle in range(0, 360, 45)]


def _quilt(canvas: Array, turned: list[Array], *, where: Array, rng: np.random.Generator) -> None:
    """Cover `where` with overlapping crops of the turned section, whose edges are soft and irregular, in place."""
    from scipy.ndimage import binary_dilation

    side, step = 120, 54
    masks = [_blob((side, side), rng=rng) for _ in range(16)]
    centres = [np.argwhere(section[side // 2 : -side // 2, side // 2 : -side // 2, 3] > 0.95) for section in turned]
    near = binary_dilation(where, iterations=4)
    corners = [
        (y - side // 2, x - side // 2)
        for y in range(step // 2, canvas.shape[0], step)
        for x in range(step // 2, canvas.shape[1], step)
        if near[y // PIXELS_PER_CELL, x // PIXELS_PER_CELL]
    ]
    for i in rng.permutation(2 * len(corners)):  # every place twice: crops are cut where their tissue ends
        which = int(rng.integers(len(turned)))
        y, x = centres[which][rng.integers(len(centres[which]))]
        crop = turned[which][y : y + side, x : x + side]
        mask = crop[..., 3] * masks[int(rng.integers(len(masks)))]
        jitter = rng.integers(-16, 17, 2)
        at = (corners[i // 2][0] + int(jitter[0]), corners[i // 2][1] + int(jitter[1]))
        _lay(canvas, crop[..., :3], mask[..., None], at=at)


def _set_crypts(canvas: Array, regions: Array, *, rng: np.random.Generator) -> None:
    """Lay whole glands into the crypt region, as close as they fit without touching, in place."""
    from scipy.ndimage import distance_transform_edt, rotate

    glands = [_gland(box) for box in _GLANDS]
    room = distance_transform_edt(np.pad(regions == CRYPTS, 1))[1:-1, 1:-1] * PIXELS_PER_CELL
    taken: list[tuple[float, float, float]] = []
    for _ in range(2500):
        y, x = (float(rng.uniform(0, n * PIXELS_PER_CELL)) for n in regions.shape)
        gland, radius = glands[int(rng.choice(len(glands), p=(0.45, 0.4, 0.15)))]
        near_edge = room[int(y) // PIXELS_PER_CELL, int(x) // PIXELS_PER_CELL] < 0.8 * radius
        if near_edge or any((y - v) ** 2 + (x - u) ** 2 < (0.9 * (radius + r)) ** 2 for v, u, r in taken):
            continue
        taken.append((y, x, radius))
        turned = rotate(gland, float(rng.uniform(0, 360)), order=1, mode="constant")
        if rng.integers(2):
            turned = turned[:, ::-1]
        at = (int(y) - turned.shape[0] // 2, int(x) - turned.shape[1] // 2)
        _lay(canvas, turned[..., :3], turned[..., 3:], at=at)


def _gland(box: tuple[int, int, int, int]) -> tuple[Array, float]:
    """A gland with its soft mask, float32 (y, x, 4), and its radius in pixels; rounded off where the section ends."""
    from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter, label

    top, left, bottom, right = box
    density, epithelium = _section()
    labels, _ = label(epithelium[top:bottom, left:right])
    middle = labels == np.bincount(labels[labels > 0]).argmax()
    # the lumen of a gland belongs to it: closed over a wide gap, with room around so that closing does not meet the edge
    gland = binary_fill_holes(binary_closing(np.pad(middle, 30), iterations=24))[30:-30, 30:-30]
    y, x = (np.abs(np.linspace(-1, 1, n)) for n in gland.shape)
    gland &= y[:, None] ** 3 + x[None] ** 3 < 0.94
    mask = gaussian_filter(gland.astype(np.float32), 3)
    edge = np.minimum.outer(*(np.clip((1 - v) * 20, 0, 1) for v in (y, x)))
    return np.dstack([density[top:bottom, left:right], mask * edge]), float(np.sqrt(gland.sum() / np.pi))


def _lay(canvas: Array, crop: Array, mask: Array, *, at: tuple[int, int]) -> None:
    """Blend the crop into the canvas with its upper left corner `at`, in place; clipped at the edges."""
    y0, x0 = max(at[0], 0), max(at[1], 0)
    y1, x1 = min(at[0] + crop.shape[0], canvas.shape[0]), min(at[1] + crop.shape[1], canvas.shape[1])
    if y1 <= y0 or x1 <= x0:
        return
    part = (slice(y0 - at[0], y1 - at[0]), slice(x0 - at[1], x1 - at[1]))
    under = canvas[y0:y1, x0:x1]
    under += (crop[part] - under) * mask[part]


def _blob(shape: tuple[int, int], *, rng: np.random.Generator) -> Array:
    """A mask, float32 (y, x): 1 inside, 0 at the edges, with an irregular outline about ten pixels soft."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    outline = 0.82 + sum(rng.normal(0, 0.15) / k * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 8))
    edge = np.minimum.outer(*(np.clip((1 - np.abs(np.linspace(-1, 1, n))) * 8, 0, 1) for n in shape))
    return np.asarray(np.clip((outline - radius) / 0.18 + 0.5, 0, 1) * edge, np.float32)


def _soft(mask: Array, shape: tuple[int, ...]) -> Array:
    """A coarse mask at full size with a smooth outline about ten pixels soft, float32 (y, x)."""
    from scipy.ndimage import gaussian_filter

    smooth = _enlarged(gaussian_filter(mask.astype(np.float32), 1.4), shape)
    return np.asarray(np.clip((smooth - 0.5) * 4 + 0.5, 0, 1), np.float32)


def _enlarged(values: Array, shape: tuple[int, ...]) -> Array:
    """Coarse values at full size, straight lines between cells, float32 (y, x): one axis after the other, for speed."""
    values = values.astype(np.float32)
    for axis in (0, 1):
        position = (np.arange(shape[axis]) + 0.5) * values.shape[axis] / shape[axis] - 0.5
        low = np.clip(np.floor(position).astype(int), 0, values.shape[axis] - 2)
        weight = np.expand_dims(np.clip(position - low, 0, 1).astype(np.float32), 1 - axis)
        first = values.take(low, axis)
        values = first + (values.take(low + 1, axis) - first) * weight
    return values


def write_demo_pyramid(path: Path, pixels: Array) -> None:
    """A generic pyramidal TIFF: tiles of 256, JPEG, reduced pages marked as such, resolution in pixels a centimetre."""
    import tifffile

    with tifffile.TiffWriter(path) as tiff:
        spacing, reduced = DEMO_SPACING, 0
        while True:
            tiff.write(
                pixels,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 90},
                subfiletype=reduced,
                resolution=(1e4 / spacing, 1e4 / spacing),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
            if max(pixels.shape[:2]) <= 512:
                return
            rows, columns = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
            blocks = pixels[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2, 3)
            pixels = blocks.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8)
            spacing, reduced = spacing * 2, 1
