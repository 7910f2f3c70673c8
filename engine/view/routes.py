"""routes: the addresses of the server: numbers of runs, images, pictures and overlays, and a fixed list of files."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from . import films, means, plane, points, slices, tiles
from .answers import Answer, Query
from .overview import image_document, overview
from .viewer import Viewer

PAGE = Path(__file__).parent / "page"
KINDS_OF_FILE = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}

Route = Callable[..., Answer]
"""(viewer, query, *numbers) -> answer."""

ROUTES: tuple[tuple[str, Route], ...] = (
    ("runs", lambda viewer, query: Answer.of(overview(viewer))),
    ("runs/N/images/N", lambda viewer, query, run, image: Answer.of(image_document(viewer, run, image))),
    ("runs/N/images/N/pictures/N/tile", tiles.picture_tile),
    ("runs/N/images/N/overlays/N/tile", tiles.overlay_tile),
    ("runs/N/images/N/pictures/N/slice", slices.picture_slice),
    ("runs/N/images/N/overlays/N/slice", slices.overlay_slice),
    ("runs/N/images/N/at", points.at),
    ("runs/N/images/N/patch", tiles.patch),
    ("runs/N/images/N/similar", points.similar),
    ("runs/N/images/N/thumbnail", slices.thumbnail),
    ("runs/N/means", lambda viewer, query, run: means.means(viewer, run)),
    ("runs/N/plane", lambda viewer, query, run: plane.plane(viewer, run)),
    ("runs/N/films", lambda viewer, query, run: films.film_table(viewer, run)),
    ("runs/N/films/N", lambda viewer, query, run, row: films.film(viewer, run, row)),
    ("runs/N/films/N/maps/N", lambda viewer, query, run, row, number: films.film_map(viewer, run, row, number)),
)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Route], ...]:
    return tuple((re.compile("/api/" + text.replace("N", r"(\d{1,9})"), re.ASCII), route) for text, route in ROUTES)


def answer(viewer: Viewer, path: str, query: Query) -> Answer:
    """The answer to a GET of an address below /api/. Raises LookupError for one that nothing has."""
    for pattern, route in _patterns():
        if match := pattern.fullmatch(path):
            return route(viewer, query, *map(int, match.groups()))
    raise LookupError(path)


@cache
def page_files() -> dict[str, Path]:
    """Address -> file of the page: all that lie there, and nothing else is ever read by a name from an address."""
    return {
        f"/page/{path.relative_to(PAGE).as_posix()}": path for path in PAGE.rglob("*") if path.suffix in KINDS_OF_FILE
    }


def page_file(path: str) -> Answer:
    """A file of the page; / is the page itself. Raises LookupError for another address."""
    file = page_files()["/page/index.html" if path == "/" else path]
    return Answer(file.read_bytes(), KINDS_OF_FILE[file.suffix])
