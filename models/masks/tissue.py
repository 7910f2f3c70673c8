"""Tissue mask: the tissue on a slide, from a small overview of about 8 µm a pixel.

Stained tissue is coloured and absorbs green at least as much as red. In optical density:

```text
glass, shadow of a coverslip, dust    grey and pale        -> no colour
black pen, edges, scanner background  grey and dark        -> little colour for their darkness
green and blue pen                    absorb red most      -> a hue that no stain has
red pen                               absorbs almost no red, but green and blue strongly, over wide even areas
```
Sizes are in micrometres, so that a slide has the same mask at any overview.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import filters, measure, morphology

Array = npt.NDArray[Any]
SMOOTH_UM = 10.0
"""Standard deviation of the Gaussian blur that removes noise and grain."""
OPEN_UM = 16.0
"""Radius of the opening: structures thinner than twice this are fibres, edges or rims of pen, not tissue."""
CLOSE_UM = 40.0
"""Radius of the closing: gaps up to about twice this belong to the tissue: fat cells, tears."""
HOLE_UM2 = 60_000.0
"""Holes up to this area belong to the tissue."""
SPECK_UM2 = 20_000.0
"""Pieces up to this area are dirt: they hold hardly more than a few patches."""
RIM_UM = 50.0
"""Width of the rim around certain ink in which faint pixels are ink too."""
LINE_THINNESS = 0.02
"""A piece with less area than this times its length squared is a line."""
PALE_COLOUR = 0.035
"""Colour above which a pixel that is connected to tissue may be pale tissue."""
COLOUR_BOUNDS = (0.035, 0.09)
"""Lower and upper bound of the colour threshold, in optical density (natural logarithm)."""


def tissue_mask(overview_CYX: Array, spacing: float = 8.0) -> Array:
    """Mask of the tissue, bool (Y, X). `spacing` in µm a pixel.

    Three channels (uint8) are a brightfield image of a stained section; any other number is fluorescence, where tissue is
    bright. A slide without tissue gives False everywhere.
    """
    if len(overview_CYX) != 3:
        return _clean(_fluorescence(overview_CYX, spacing), spacing)
    tissue, pen = _brightfield(overview_CYX, spacing)
    mask = _clean(tissue, spacing) & ~pen
    return np.asarray(mask & ~_lines(mask) & ~_small(mask, _speck(mask, spacing)))


def _brightfield(overview: Array, spacing: float) -> tuple[Array, Array]:
    """(tissue, ink), bool (Y, X) each."""
    image = overview.astype(np.float32)
    sigma = SMOOTH_UM / spacing
    image = np.stack([ndimage.gaussian_filter(channel, sigma, mode="nearest") for channel in image])
    density = optical_density(image, _white(image))
    colour, grey = colourfulness(density)
    pen = _pen(density, spacing)
    limit = _colour_threshold(colour[~(grey | pen)])
    # Pale tissue (fat, the stroma of an IHC section) counts where it is connected to coloured tissue.
    seeds, candidates = (colour > limit) & ~(grey | pen), (colour > PALE_COLOUR) & ~(grey | pen)
    mask = ndimage.binary_propagation(_open(seeds, spacing), mask=_open(candidates, spacing) | seeds)
    return np.asarray(mask & ~_lines(mask)), pen


def optical_density(image_CYX: Any, white_C: Any) -> Any:
    """Optical density of each pixel (natural logarithm, 0 for glass), as an array of the image's library, numpy or cupy."""
    xp = sys.modules[type(image_CYX).__module__.partition(".")[0]]
    density = -xp.log((xp.clip(image_CYX, 0, 255) + 1.0) / (white_C[:, None, None] + 1.0))
    return xp.maximum(density, 0.0)


def colourfulness(density_CYX: Any) -> tuple[Any, Any]:
    """(largest minus smallest density of the channels, mask of grey and dark pixels), numpy or cupy."""
    darkest = density_CYX.max(0)
    colour = darkest - density_CYX.min(0)
    return colour, (darkest > 0.3) & (colour < 0.22 * darkest)


def inks(density_CYX: Any) -> tuple[Any, Any, Any, Any]:
    """Masks (cold ink, warm ink, black, possible rim of ink), numpy or cupy."""
    red, green, blue = density_CYX
    total = density_CYX.sum(0) + 1e-6
    # Green and blue ink absorb more red than green; haematoxylin comes near it only where it is pale.
    cold = (red > 1.6 * green) & (total > 0.25)
    cold |= (red > 1.2 * green) & (red > 1.2)
    # Red ink lets nearly all red through and, unlike eosin, takes almost as much blue as green; so do blood cells, but
    # not over wide areas.
    warm = (red < 0.1 * total) & (blue > 0.66 * green) & (green > 0.5)
    spread = density_CYX.max(0) - density_CYX.min(0)
    black = (total > 2.5) & (spread < 0.3 * density_CYX.max(0))
    faint = (red > 1.25 * green) | ((red < 0.15 * total) & (blue > 0.62 * green) & (green > 0.2))
    faint |= spread < 0.35 * density_CYX.max(0)
    return cold, warm, black, faint


def _open(mask: Array, spacing: float) -> Array:
    return np.asarray(ndimage.binary_opening(mask, _disk(OPEN_UM / spacing)))


def _lines(mask: Array) -> Array:
    """Mask of long thin pieces: edges of coverslips, fibres; a biopsy core is wider."""
    pieces = np.asarray(measure.label(mask, connectivity=1))
    sizes = np.bincount(pieces.ravel())
    long = np.zeros(len(sizes), bool)
    for i, box in enumerate(ndimage.find_objects(pieces), start=1):
        long[i] = sizes[i] < LINE_THINNESS * max(part.stop - part.start for part in box) ** 2
    return np.asarray(long[pieces])


def _white(image: Array) -> Array:
    """Intensity of empty glass in each channel: the median of the brightest pixels, at least 200 (a slide full of tissue)."""
    grey = image.mean(0)
    bright = image[:, grey >= np.percentile(grey, 95)]
    return np.asarray(np.clip(np.median(bright, axis=1), 200.0, 255.0))


def _colour_threshold(colour: Array) -> float:
    if colour.size == 0 or np.ptp(colour) < 1e-6:
        return COLOUR_BOUNDS[1]
    return float(np.clip(0.6 * _otsu(np.minimum(colour, 0.3)), COLOUR_BOUNDS[0], COLOUR_BOUNDS[1]))


def _pen(density: Array, spacing: float) -> Array:
    """Mask of ink with its rims, and of black areas: scanner background, edges."""
    cold, warm, black, faint = inks(density)
    seeds = cold | _open(warm, spacing) | black
    if not seeds.any():
        return np.asarray(seeds)
    rim = ndimage.binary_dilation(seeds, _disk(RIM_UM / spacing))
    return np.asarray(seeds | (rim & faint))


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
    pixel = spacing * spacing
    grown = np.pad(mask, (pad := round(CLOSE_UM / spacing) + 1), mode="edge")
    grown = _open(grown, spacing)
    grown = ndimage.binary_closing(grown, _disk(CLOSE_UM / spacing))
    mask = grown[pad:-pad, pad:-pad]
    mask = mask | _small(~mask, HOLE_UM2 / pixel)
    return mask & ~_small(mask, _speck(mask, spacing))


def _speck(mask: Array, spacing: float) -> float:
    """Largest area of dirt in pixels; at most an eighth of a small overview."""
    return min(SPECK_UM2 / spacing**2, mask.size / 8)


def _small(mask: Array, area: float) -> Array:
    """Mask of the connected pieces of at most `area` pixels."""
    pieces = np.asarray(measure.label(mask, connectivity=1))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes[pieces] <= area) & mask)


def _disk(radius: float) -> Array:
    return np.asarray(morphology.disk(max(1, round(radius))), bool)


def _otsu(values: Array) -> float:
    return float(filters.threshold_otsu(values))
