"""Spacing: micrometres a pixel of the finest level, and its source. It is never guessed from a magnification.

```text
list's column > --mpp  >  the file's own metadata  >  TIFF resolution tags       (the first that is stated decides)
```
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import SlideError

FINEST_SPACING, COARSEST_SPACING = 0.05, 20.0
"""Smallest and largest valid spacing of a microscope slide, in micrometres a pixel."""
SMALLEST_SECTION, LARGEST_SECTION = 1.0, 250.0
"""Longest sides of an image, in millimetres, within which nothing is asked about a spacing that the user states."""
SQUARE_TOLERANCE = 0.01
"""Largest difference of x and y, relative to the larger."""

FROM_USER = "csv/--mpp"
FROM_FILE = "file"
FROM_RESOLUTION = "TIFF resolution"

UNITS = {
    "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "nm": 1e-3, "nanometer": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0,
    "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4,
    "dm": 1e5, "decimeter": 1e5, "m": 1e6, "meter": 1e6, "in": 25400.0, "inch": 25400.0,
}  # fmt: skip
"""Micrometres in one unit of length, by the names that files use."""

RESOLUTION_UNITS = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}
"""Micrometres in one unit of the TIFF tag ResolutionUnit; 4 and 5 are private but in use. 1 means no unit."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A spacing as a source states it, before it is checked."""

    y: float | None
    """Micrometres a pixel along y; None where nothing is stated, NaN where it is no number."""
    x: float | None
    """Micrometres a pixel along x."""
    source: str
    """FROM_USER, FROM_FILE or FROM_RESOLUTION."""
    unknown_unit: str = ""
    """The unit that the source states a spacing in, if it is no length; then nothing is stated."""

    @property
    def missing(self) -> bool:
        return self.y is None and self.x is None

    @property
    def values(self) -> tuple[float, float]:
        """(y, x); a pixel is square if one axis is not stated."""
        y = self.x if self.y is None else self.y
        x = self.y if self.x is None else self.x
        if y is None or x is None:
            raise ValueError("no spacing is stated")
        return y, x


def parse_number(text: str | float | None) -> float | None:
    """The number in a text: None if empty, NaN for any other text; a decimal comma is accepted.

    >>> parse_number("0,499"), parse_number(" "), parse_number("n/a")
    (0.499, None, nan)
    """
    if text is None or isinstance(text, int | float):
        return None if text is None else float(text)
    text = text.strip()
    if not text:
        return None
    if re.fullmatch(r"[-+]?\d*,\d+", text):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return math.nan


def from_resolution(y: float | None, x: float | None, unit_length: float | None) -> Stated:
    """Spacing from pixels per unit; zeros, unknown units and the writers' default of one pixel per unit state nothing."""
    if unit_length is None or not x or not y or (y == x == 1 and unit_length > COARSEST_SPACING):
        return Stated(None, None, FROM_RESOLUTION)
    return Stated(unit_length / y, unit_length / x, FROM_RESOLUTION)


def problem(stated: Stated) -> str:
    """Why a stated spacing is invalid; empty if it is valid.

    >>> problem(Stated(0.5, 0.5, FROM_FILE)), problem(Stated(0.005, 0.005, FROM_FILE))
    ('', 'outside 0.05 to 20 um')
    """
    y, x = stated.values
    if not (math.isfinite(y) and math.isfinite(x)):
        return "not a number"
    if not all(FINEST_SPACING <= s <= COARSEST_SPACING for s in (y, x)):
        return f"outside {FINEST_SPACING:g} to {COARSEST_SPACING:g} um"
    if abs(y - x) > SQUARE_TOLERANCE * max(y, x):
        return f"different along y and x by more than {SQUARE_TOLERANCE:.0%}"
    return ""


def unlikely_extent(shape: Sequence[int], mpp: float) -> str:
    """A question about a spacing that the user states, if it makes an image of this shape too small or too large for a section
    on a slide; else empty. It holds no number of the image, so that many images share one message.

    >>> unlikely_extent((800, 1000), 0.5)[:40], unlikely_extent((20000, 30000), 0.5)
    ('the stated spacing makes it less than 1 ', '')
    """
    longest = max(shape) * mpp / 1000
    if SMALLEST_SECTION <= longest <= LARGEST_SECTION:
        return ""
    side = f"less than {SMALLEST_SECTION:g}" if longest < SMALLEST_SECTION else f"more than {LARGEST_SECTION:g}"
    return (
        f"the stated spacing makes it {side} mm long on the glass. Is it a small field, and is the value measured for this "
        "picture, at its size in pixels? A picture that was made smaller has a coarser spacing than its slide."
    )


def choose(mpp: float | None, file_spacings: Sequence[Stated]) -> Stated | None:
    """The spacing that counts: the user's, else the first that is stated."""
    candidates = [Stated(mpp, mpp, FROM_USER), *file_spacings]
    return next((s for s in candidates if not s.missing), None)


def overridden(mpp: float | None, file_spacings: Sequence[Stated]) -> tuple[str, ...]:
    """A remark where the user's spacing differs by more than 1 % from a valid one of the file."""
    own = choose(None, file_spacings)
    if mpp is None or own is None or problem(own) or abs(mpp / own.values[0] - 1) <= SQUARE_TOLERANCE:
        return ()
    return (
        f"the file states {own.values[0]:.4g} um a pixel, and the {mpp:.4g} of --mpp or the list are used instead; where only "
        "other slides need a value, name it in a column `mpp` of a list",
    )


def settle(name: str, mpp: float | None, file_spacings: Sequence[Stated]) -> tuple[tuple[float, float], str]:
    """(spacing (y, x) of the finest level in micrometres, its source).

    Raises SlideError: E_NO_MPP if no spacing is stated, E_BAD_MPP if the stated one is invalid.
    """
    spacing = choose(mpp, file_spacings)
    units = [stated.unknown_unit for stated in file_spacings if stated.unknown_unit]
    unknown = (
        f" Its metadata state a size in the unit {units[0]!r}, which is no length that is known here." if units else ""
    )
    if spacing is None:
        raise SlideError(
            f"{name}: no spacing (micrometres a pixel) is stated in the file, and a magnification does not define one."
            f"{unknown} Without a spacing tissue cannot be compared between slides. Work it out for the picture at its size in "
            "pixels: the length of a scale bar, or of anything of known length, in micrometres, divided by its length in "
            "pixels; or the width of the field divided by the pixels across it; a camera's pixel size divided by the "
            "magnification before the camera. Then state it with --mpp, or of each slide in a column `mpp` of a list.",
            "E_NO_MPP",
        )
    fault = problem(spacing)
    if fault:
        y, x = spacing.values
        who = "--mpp or the list" if spacing.source == FROM_USER else f"the {spacing.source} metadata"
        raise SlideError(
            f"{name}: {who} says that a pixel is {y:.6g} um high and {x:.6g} um wide, which is {fault}, so it cannot "
            f"be believed.{unknown} Give the true spacing in a column `mpp` of a list, or of all slides with --mpp.",
            "E_BAD_MPP",
        )
    return spacing.values, spacing.source
