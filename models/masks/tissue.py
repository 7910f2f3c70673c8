"""Tissue mask: the tissue on a slide, from a small overview of about 8 µm a pixel.

A stained section is **grainy** at the scale of cells, in proportion to its density, and it has a **hue**, however pale its stain:

```text
                                     grain / density    hue (1 - least / largest density of the channels)
section, every stain                 0.07 and more      0.09 and more
glass, shadow of a coverslip         less than glass has everywhere, or no density
pen out of focus, of every colour    0.04 and less
edge of a coverslip, bubble, dust    grainy             0.08 and less
green, blue, red and black pen       colours that no stain has (`ink`)
```
The strength of a stain changes neither of the two, so sections of one block have the same mask in every stain. Even regions, such
as a colloid or a drop of mucus, belong to the tissue where grain bounds them. Sizes are in micrometres, so that a slide has
nearly the same mask at any overview.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import filters

from .ink import colourfulness, optical_density, pen
from .pieces import closed, labelled, lines, opened, small

Array = npt.NDArray[Any]
FINE_UM = 4.0
"""Standard deviation of the blur under which cells still show; grain is what a blur of twice this removes."""
SMOOTH_UM = 10.0
"""Standard deviation of the Gaussian blur that removes noise and grain."""
HUE_UM = 24.0
"""Standard deviation of the Gaussian blur under which hue is measured."""
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
RING_UM = 24.0
"""Width of the ring around an even region in which grain bounds it."""
PALE = 0.02
"""Mean optical density (natural logarithm) up to which a pixel is glass."""
ROUGH = 0.05
"""Grain of tissue, at least, as a share of its density."""
GRAIN_BOUNDS = (0.006, 0.02)
"""Lower and upper bound of the grain, in optical density, above which a pixel differs from glass."""
GLASS_GRAIN = 2.0
"""Grain of tissue, at least, in multiples of the glass's own: noise of the camera, artefacts of compression."""
HUE, PIECE_HUE = 0.085, 0.13
"""Hue of a pixel's surroundings, and of a whole piece of tissue, at least."""
COLOUR_BOUNDS = (0.035, 0.09)
"""Lower and upper bound of the colour threshold of even regions, in optical density."""


def tissue_mask(overview_CYX: Array, spacing: float = 8.0) -> Array:
    """Mask of the tissue, bool (Y, X). `spacing` in µm a pixel.

    Three channels (uint8) are a brightfield image of a stained section; any other number is fluorescence, where tissue is
    bright. A slide without tissue gives False everywhere.
    """
    if len(overview_CYX) != 3:
        return _clean(_fluorescence(overview_CYX, spacing), spacing)
    tissue, ink = _brightfield(overview_CYX, spacing)
    mask = _clean(tissue, spacing) & ~ink
    return np.asarray(mask & ~lines(mask, LINE_THINNESS) & ~small(mask, _speck(mask, spacing)))


def _brightfield(overview: Array, spacing: float) -> tuple[Array, Array]:
    """(tissue, ink), bool (Y, X) each."""
    image = overview.astype(np.float32)
    smooth = _blur(image, SMOOTH_UM / spacing)
    white = _white(smooth)
    density = optical_density(smooth, white)
    grain, mean = _grain(image, spacing), density.mean(0)
    ink = pen(density, grain <= ROUGH * mean, spacing) | opened(_dull(density), OPEN_UM / spacing)
    rough = (grain > np.maximum(_grain_of_glass(grain[mean < PALE]), ROUGH * mean)) & _hued(density, spacing) & ~ink
    # Less blurred, so that a narrow lumen is not covered by the blur of its walls.
    rough &= optical_density(_blur(image, 0.5 * SMOOTH_UM / spacing), white).mean(0) > PALE
    tissue = rough | _bounded(_coloured(density, ink) & ~rough, rough, spacing)
    tissue &= ~small(tissue, DUST_UM2 / spacing**2)
    tissue &= ~lines(tissue & ~opened(tissue, STRIP_UM / spacing), STRIP_THINNESS)
    return _hued_pieces(tissue, density), ink


def _blur(image: Array, sigma: float) -> Array:
    return np.stack([ndimage.gaussian_filter(channel, sigma, mode="nearest") for channel in image])


def _white(image: Array) -> Array:
    """Intensity of empty glass in each channel: the median of the brightest pixels, at least 200 (a slide full of tissue)."""
    grey = image.mean(0)
    bright = image[:, grey >= np.percentile(grey, 95)]
    return np.asarray(np.clip(np.median(bright, axis=1), 200.0, 255.0))


def _grain(image: Array, spacing: float) -> Array:
    """Local standard deviation of the density at the scale of cells, (Y, X)."""
    density = -np.log((image.mean(0) + 1.0) / 256.0)
    own = spacing**2 / 12  # variance of a pixel's own width
    if FINE_UM**2 > own:
        density = ndimage.gaussian_filter(density, (FINE_UM**2 - own) ** 0.5 / spacing, mode="nearest")
    rough = density - ndimage.gaussian_filter(density, 2 * FINE_UM / spacing, mode="nearest")
    return np.asarray(np.sqrt(ndimage.gaussian_filter(rough**2, 4 * FINE_UM / spacing, mode="nearest")))


def _grain_of_glass(glass: Array) -> float:
    """Grain above which a pixel differs from glass; the least grainy glass counts, as thin tissue lies among the rest."""
    if glass.size == 0:
        return GRAIN_BOUNDS[0]
    return float(np.clip(GLASS_GRAIN * np.percentile(glass, 2), *GRAIN_BOUNDS))


def _hued(density: Array, spacing: float) -> Array:
    """Mask of pixels with a hue in their surroundings that are not black or grey themselves."""
    wide = _blur(density, HUE_UM / spacing)
    return np.asarray((wide.max(0) - wide.min(0) > HUE * wide.max(0)) & ~_dull(density))


def _dull(density: Array) -> Array:
    """Mask of dark grey pixels: the shadow of an edge, over tissue too."""
    darkest = density.max(0)
    return np.asarray((darkest > 0.5) & (darkest - density.min(0) < 0.14 * darkest))


def _coloured(density: Array, ink: Array) -> Array:
    colour, grey = colourfulness(density)
    out = grey | ink
    return np.asarray((colour > _colour_threshold(colour[~out])) & ~out)


def _colour_threshold(colour: Array) -> float:
    if colour.size == 0 or np.ptp(colour) < 1e-6:
        return COLOUR_BOUNDS[1]
    return float(np.clip(0.6 * _otsu(np.minimum(colour, 0.3)), *COLOUR_BOUNDS))


def _bounded(even: Array, rough: Array, spacing: float) -> Array:
    """The even regions whose ring is grainy for the most part."""
    pieces = labelled(even)
    if not even.any():
        return even
    distance, nearest = ndimage.distance_transform_edt(~even, return_indices=True)
    ring = (distance > 0) & (distance <= RING_UM / spacing)
    around = pieces[tuple(nearest)]
    n = int(pieces.max()) + 1
    kept = np.bincount(around[ring & rough], minlength=n) > 0.5 * np.bincount(around[ring], minlength=n)
    kept[0] = False
    # A region that fills the image has no ring; there is no glass on such a slide.
    kept[1:] |= np.bincount(around[ring], minlength=n)[1:] == 0
    return np.asarray(kept[pieces])


def _hued_pieces(mask: Array, density: Array) -> Array:
    """The pieces that have a hue as a whole: bubbles and scratches have one only here and there."""
    pieces = labelled(mask)
    sums = np.stack([np.bincount(pieces.ravel(), channel.ravel()) for channel in density])
    hued = sums.max(0) - sums.min(0) > PIECE_HUE * sums.max(0)
    return np.asarray(mask & hued[pieces])


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
    mask = opened(closed(grown, CLOSE_UM / spacing), OPEN_UM / spacing)[pad:-pad, pad:-pad]
    mask = mask | small(~mask, HOLE_UM2 / spacing**2)
    return mask & ~small(mask, _speck(mask, spacing))


def _speck(mask: Array, spacing: float) -> float:
    """Largest area of dirt in pixels; at most an eighth of a small overview."""
    return min(SPECK_UM2 / spacing**2, mask.size / 8)


def _otsu(values: Array) -> float:
    return float(filters.threshold_otsu(values))
