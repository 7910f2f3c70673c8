"""orientation: which side is which on planes of volumes: letters at their edges, and the sentence that explains them.

```text
  axial        coronal      sagittal      volumes grow to Right, Anterior and Superior, and planes are drawn with the second
 .-------.    .-------.    .-------.      axis to the right and the first upward: the patient's right is at the right
L|   A   |R  L|   S   |R  P|   S   |A
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figure import write_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = (("L", "R"), ("L", "R"), ("P", "A"))
"""Letters at the left and at the right edge of planes across z (axial), y (coronal) and x (sagittal)."""
SEEN = (
    "L and R are the patient's left and right: the patient's right is at the right, as seen from above and from behind, "
    "not as on radiological films. A and P are anterior and posterior; up is anterior on axial planes, superior on the others."
)
AXIAL = "Axial planes: anterior is up, and the patient's right is at the right."
FONT_SIZE, INSET = 7.5, 0.03
"""Points of a letter; inches between it and the edge."""

SideLetter = tuple[str, float, float, str]
"""A letter, its place in a picture (y, x, from 0 to 1), and its side: left or right."""


def plane_letters(across: int) -> tuple[SideLetter, ...]:
    """The letters of the plane across one of the axes z, y, x."""
    left, right = SIDES[across]
    return (left, 0.5, 0.0, "left"), (right, 0.5, 1.0, "right")


def draw_letters(
    figure: Figure, left: float, top: float, size: tuple[float, float], *, letters: tuple[SideLetter, ...]
) -> None:
    """Letters over a picture at (left, top) inches, of `size` (width, height): white with a dark rim, for any ground."""
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=2, foreground="#1c1e21")]
    for letter, y, x, side in letters:
        inset = INSET if side == "left" else -INSET
        at = left + x * size[0] + inset, top + y * size[1]
        font: dict[str, object] = {"fontsize": FONT_SIZE, "weight": "bold"}
        place: dict[str, object] = {"ha": side, "va": "center"}
        write_inches(figure, at[0], at[1], letter, color="white", path_effects=rim, **font, **place)
