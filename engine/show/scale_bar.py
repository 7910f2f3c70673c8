"""scale_bar: a bar of a round length under a map, with its length as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .figure import INK, draw_rectangle, write_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scale_length(limit: float) -> tuple[float, str]:
    """The longest of 1, 2 or 5 times a power of ten micrometres that is no longer than `limit`, and its text.

    >>> scale_length(730), scale_length(2400), scale_length(0.3)
    ((500.0, '500 µm'), (2000.0, '2 mm'), (0.2, '0.2 µm'))
    """
    power = 10.0 ** math.floor(math.log10(limit) + 1e-9)
    length = max(step * power for step in (1, 2, 5) if step == 1 or step * power <= limit * (1 + 1e-9))
    return length, f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


def draw_scale_bar(figure: Figure, at: tuple[float, float], *, micrometres: float, room: tuple[float, float]) -> None:
    """A bar under the panels, never over tissue; `micrometres` an inch, `room` the slot and longer side in inches."""
    length, text = scale_length(min(0.45 * room[0], 0.3 * room[1]) * micrometres)
    inches = length / micrometres
    draw_rectangle(figure, at[0], at[1], (inches, 0.045), facecolor=INK, gid="scale")
    write_inches(figure, at[0] + inches + 0.1, at[1] + 0.02, text, fontsize=10, va="center")
