"""figure: the style of all pictures, and PNG files whose bytes depend on the figure alone."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...stores.files import write_whole
from ...stores.frame import Array
from ...stores.remote import to_path
from ...stores.shown import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")
DPI = 150
"""Dots an inch of every picture: figures are laid out so that a picture's pixels meet the dots exactly."""

INK, QUIET_INK, HAIRLINE_COLOUR = "#1c1e21", "#6a6f76", "#d5d8dc"
"""Text, secondary text, hairlines."""

MARGIN, TITLE_HEIGHT = 0.35, 0.5
"""Inches around a figure, and for its title."""


STYLE: dict[str, object] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs on every machine
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titley": 1.0,  # said here, it is not sought by measuring all labels
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "xtick.color": QUIET_INK,
    "ytick.color": QUIET_INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "savefig.bbox": None,
    "savefig.facecolor": "white",
    "figure.dpi": DPI,
}
"""Fonts and lines of all pictures; `$` in a slide's name is a dollar sign, not mathematics."""


class _SharedStyle:
    """The style in force while anyone draws: matplotlib holds it once for all threads, so the last one out restores it."""

    def __init__(self) -> None:
        self._lock, self._users, self._restore = threading.Lock(), 0, ExitStack()

    def enter(self) -> None:
        import matplotlib

        with self._lock:
            if not self._users:
                self._restore.enter_context(matplotlib.rc_context(STYLE))  # type: ignore[arg-type]  # typed as 300 literals
                # Characters that the font lacks are drawn as boxes; their warnings are not logged. No context puts the filters
                # back: they are those of all threads.
                warnings.filterwarnings("ignore", message="Glyph .* missing from")
            self._users += 1  # last: where the style cannot be entered, nobody is counted as its user

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore.close()


_style = _SharedStyle()


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of all pictures, in any number of threads."""
    _style.enter()
    try:
        yield
    finally:
        _style.leave()


def drawn_together(works: Sequence[Callable[[], T]]) -> list[T]:
    """The results of works that draw a picture each, two at a time: while one is compressed, the next one is drawn.

    >>> drawn_together([lambda: 1, lambda: 2])
    [1, 2]
    """
    with house_style(), ThreadPoolExecutor(2) as pool:
        return [work.result() for work in [pool.submit(copy_context().run, work) for work in works]]


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of that many inches, rounded to whole dots; no pyplot, so no global state."""
    from matplotlib.figure import Figure

    size = (round(width * DPI) / DPI, round(height * DPI) / DPI)
    return Figure(figsize=size, dpi=DPI, facecolor="white")


def panel(figure: Figure, left: float, top: float, size: tuple[float, float]) -> Axes:
    """Axes at (left, top) inches from the upper left corner, `size` (width, height) in inches, on whole dots."""
    return figure.add_axes(_on_dots(figure, left, top, size))


def draw_pixels(
    figure: Figure, left: float, top: float, size: tuple[float, float], *, rgb: Array, gid: str, smooth: bool = False
) -> None:
    """An image, (y, x, 3 or 4), at a place as of `panel`, without the cost of axes; `smooth` where its pixels are not dots."""
    from matplotlib.transforms import Bbox, TransformedBbox

    from .dots import DotsImage

    place = TransformedBbox(Bbox.from_bounds(*_on_dots(figure, left, top, size)), figure.transFigure)
    image = DotsImage(place, interpolation="antialiased" if smooth else "nearest", origin="upper", gid=gid)
    image.set_data(rgb)
    figure.add_artist(image)


def draw_rectangle(
    figure: Figure, left: float, top: float, size: tuple[float, float], *, gid: str = "", **style: object
) -> None:
    """A rectangle at a place as of `panel`; `style` as matplotlib's Rectangle takes it."""
    from matplotlib.patches import Rectangle

    x, y, width, height = _on_dots(figure, left, top, size)
    options: dict[str, object] = {"linewidth": 0, "transform": figure.transFigure, "gid": gid, **style}
    figure.add_artist(Rectangle((x, y), width, height, **options))  # type: ignore[arg-type]


def _on_dots(figure: Figure, left: float, top: float, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Left, bottom, width and height as parts of the figure, on whole dots."""
    width, height = figure.get_size_inches()
    x, y, across, up = (round(v * DPI) / DPI for v in (left, height - top - size[1], size[0], size[1]))
    return x / width, y / height, across / width, up / height


def write_inches(figure: Figure, left: float, top: float, text: str, **style: object) -> None:
    """Text whose upper left corner lies at (left, top) inches from the upper left corner of the figure."""
    width, height = figure.get_size_inches()
    options: dict[str, object] = {"ha": "left", "va": "top", **style}
    figure.text(left / width, 1 - top / height, shown(text), **options)  # type: ignore[arg-type]


def write_title(figure: Figure, text: str, *, fontsize: float = 13) -> None:
    """The figure's title, in its upper left corner."""
    write_inches(figure, MARGIN, MARGIN - 0.05, text, fontsize=fontsize, weight="bold")


def draw_swatch(figure: Figure, left: float, top: float, size: tuple[float, float], *, colour: str) -> None:
    """A colour patch of a legend; position and size as for `panel`."""
    draw_rectangle(figure, left, top, size, facecolor=colour)


def one_line(text: str) -> str:
    """The text with one space for each run of blanks and of characters that are not printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shortened(text: str, length: int) -> str:
    """At most `length` characters on one line, the middle left out: beginnings and endings tell slides apart.

    >>> shortened("a-very-long-slide-name.svs", 12)
    'a-very-….svs'
    """
    text = one_line(text)
    if len(text) <= length:
        return text
    tail = max(1, length * 2 // 5)
    return text[: length - 1 - tail] + "…" + text[-tail:]


def png(figure: Figure) -> bytes:
    """The figure as PNG, 8-bit RGB without metadata: the same figure gives the same bytes.

    Rows are differences from the pixel before (filter 1): half the time of trying every filter, in as few bytes.
    """
    import imagecodecs

    pixels = np.ascontiguousarray(_drawn(figure)[..., :3])
    return bytes(imagecodecs.png_encode(pixels, level=1, filter=imagecodecs.PNG.FILTER.SUB))


def _drawn(figure: Figure) -> Array:
    """The figure's pixels, uint8 (y, x, 4), on white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG, whole or not at all."""
    write_whole(to_path(path), png(figure))
    return to_path(path)
