"""Tissue mask: the tissue on a slide, from a small overview of about 8 µm a pixel.

However pale its stain, a section is **grainy** at the scale of cells, in proportion to its density, and has a **hue**:

```text
                                     grain / density    hue (1 - least / largest density of the channels)
section, every stain                 0.07 and more      0.09 and more
glass, shadow of a coverslip         less than glass has everywhere, or no density
pen out of focus, of every colour    0.04 and less
edge of a coverslip, bubble, dust    grainy             0.08 and less
green, blue, red and black pen       colours that no stain has (`ink`)
```
The strength of a stain changes neither of the two, so sections of one block have the same mask in every stain. Even regions
belong to the tissue where grain bounds them (`even`). Sizes are in micrometres, so that a slide has nearly the same mask at any
overview.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import filters

from .even import even_tissue
from .grain import ROUGH, blur, dull, grain, grain_of_glass, hued, hued_pieces
from .ink import optical_density, pen
from .pieces import closing, lines, opening, small

Array = npt.NDArray[Any]
SMOOTH_UM = 10.0
"""Standard deviation of the Gaussian blur that removes noise and grain."""
OPEN_UM = 16.0
"""Radius of the opening: structures thinner than twice this are fibres, edges or rims of pen, not tissue."""
CLOSE_UM = 40.0
"""Radius of the closing: gaps up to about twice this belong to the tissue: alveoli, fat cells, tears."""
HOLE_UM2 = 20_000.0
"""Holes up to this area, 160 µm across, belong to the tissue: fat cells. Larger ones are lumina and tears: glass."""
SPECK_UM2 = 20_000.0
"""Pieces up to this area are dirt: they hold hardly more than a few patches."""
DUST_UM2 = 3_000.0
"""Pieces up to this area are dust, and are dropped before the closing could join them."""
STRIP_UM = 32.0
"""Half the width of the widest line that is dropped before the closing: an edge, a scratch, a fibre."""
STRIP_THINNESS, LINE_THINNESS = 0.08, 0.02
"""A strip (a whole piece) with less area than this times its length squared is a line."""
PALE = 0.02
"""Mean optical density (natural logarithm) up to which a pixel is glass."""


def tissue_mask(overview_CYX: Array, spacing: float = 8.0, *, brightfield: bool | None = None) -> Array:
    """Mask of the tissue, bool (Y, X). `spacing` in µm a pixel.

    A brightfield image of a stained section has three channels (uint8); in fluorescence, of any number of channels, tissue is
    bright. Where `brightfield` does not say which one it is, three channels are brightfield. A slide without tissue gives
    False everywhere.
    """
    if not (len(overview_CYX) == 3 if brightfield is None else brightfield):
        return _clean(_fluorescence(overview_CYX, spacing), spacing)
    tissue, ink = _brightfield(overview_CYX, spacing)
    mask = _clean(tissue, spacing) & ~ink
    return np.asarray(mask & ~lines(mask, LINE_THINNESS) & ~small(mask, _speck(mask, spacing)))


def load_functions() -> None:
    """Import the function of skimage that `tissue_mask` calls: skimage imports a function when it is first named."""
    _ = filters.threshold_otsu


def _brightfield(overview: Array, spacing: float) -> tuple[Array, Array]:
    """(tissue, ink), bool (Y, X) each."""
    image = overview.astype(np.float32)
    with ThreadPoolExecutor(2) as pool:  # what needs the picture alone, or the density alone, is computed meanwhile
        grainy = pool.submit(grain, image, spacing)
        smooth = blur(image, SMOOTH_UM / spacing)
        white = _white(smooth)
        density = optical_density(smooth, white)
        hue = pool.submit(hued, density, spacing)
        less_smooth = pool.submit(blur, image, 0.5 * SMOOTH_UM / spacing)
        grey = opening(dull(density), OPEN_UM / spacing)
        mean, roughness = density.mean(0), grainy.result()
        # on glass darker than `_white` assumes, none is below PALE
        brightest = max(PALE, float(np.percentile(mean, 5)))
        limit = np.maximum(grain_of_glass(roughness[mean <= brightest]), ROUGH * mean)
        ink = pen(density, roughness <= ROUGH * mean, spacing) | grey
        rough = (roughness > limit) & hue.result() & ~ink
        # Less blurred, so that a narrow lumen is not covered by the blur of its walls.
        rough &= optical_density(less_smooth.result(), white).mean(0) > PALE
    even, strokes = even_tissue(density, rough, ink, spacing)
    ink |= strokes
    tissue = (rough | even) & ~ink
    tissue &= ~small(tissue, DUST_UM2 / spacing**2)
    tissue &= ~lines(tissue & ~opening(tissue, STRIP_UM / spacing), STRIP_THINNESS)
    return hued_pieces(tissue, density), ink


def _white(image: Array) -> Array:
    """Intensity of empty glass in each channel: the median of the brightest pixels, at least 200 (a slide full of tissue)."""
    grey = image.mean(0)
    bright = image[:, grey >= np.percentile(grey, 95)]
    return np.asarray(np.clip(np.median(bright, axis=1), 200.0, 255.0))


def _fluorescence(overview: Array, spacing: float) -> Array:
    image = overview.astype(np.float32)
    scale = np.maximum(np.percentile(image, 99.5, axis=(1, 2)), 1e-6)
    image = (image / scale[:, None, None]).max(0)
    image = np.minimum(ndimage.gaussian_filter(image, SMOOTH_UM / spacing, mode="nearest"), 1.0)
    if np.ptp(image) < 1e-6:
        return np.zeros(image.shape, bool)
    limit = _otsu(np.sqrt(image)) ** 2
    low, high = image[image <= limit], image[image > limit]
    if high.size == 0 or high.mean() - low.mean() < 4.0 * low.std() + 0.1:
        return np.zeros(image.shape, bool)
    return np.asarray(image > limit)


def _clean(mask: Array, spacing: float) -> Array:
    if not mask.any():
        return mask
    grown = np.pad(mask, (pad := round(CLOSE_UM / spacing) + 1), mode="edge")
    mask = opening(closing(grown, CLOSE_UM / spacing), OPEN_UM / spacing)[pad:-pad, pad:-pad]
    mask = mask | small(~mask, HOLE_UM2 / spacing**2)
    return mask & ~small(mask, _speck(mask, spacing))


def _speck(mask: Array, spacing: float) -> float:
    """Largest area of dirt in pixels; at most an eighth of a small overview."""
    return min(SPECK_UM2 / spacing**2, mask.size / 8)


def _otsu(values: Array) -> float:
    return float(filters.threshold_otsu(values))
