"""outlines: labels and tiles of a slide as GeoJSON in QuPath's format, cut off at the image's edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...stores.cells import LabelCells
from ..show.geojson import ClusterClass, feature, features, rectangles, texts
from ..show.palette import Colour
from ..steps.slide_picture import pixel_of, place_in_viewers
from .fields import Field
from .picked import CLUSTERS, Picked
from .sidecars import labels_of

TILES_AT_ONCE = 10_000
"""Tiles whose shapes are in memory."""
PLAIN = "#808080"
"""Colour of labels that state none, and of tiles without a cluster."""


def write_outlines(picked: Picked, folder: Path) -> None:
    """Write ID.geojson: an annotation for every value of its labels, and a tile object for every tile if asked for."""
    with (folder / f"{picked.image}.geojson").open("w", encoding="utf-8") as file:
        file.writelines(texts(_objects(picked)))


def _objects(picked: Picked) -> Iterator[dict[str, Any]]:
    for field in picked.labels:
        yield from _outlines(picked, field)
    if picked.with_tiles:
        yield from _tiles(picked)


def _outlines(picked: Picked, field: Field) -> list[dict[str, Any]]:
    label, record = LabelCells.open(field.path), picked.record
    cells = label.read_all()
    ratio = [a / b for a, b in zip(label.frame.spacing, record.spacing, strict=True)]
    height, width = (r * s for r, s in zip(ratio, record.native_scale, strict=True))
    classes = _classes(field, [int(v) for v in np.unique(cells)])
    found = features(cells, (height, width), **place_in_viewers(record), classes=classes, pixel_um=pixel_of(record))
    return list(found["features"])


def _tiles(picked: Picked) -> Iterator[dict[str, Any]]:
    """The cell of every tile, which tiles do not share; measured are its columns of numbers."""
    table, record = picked.tiles(), picked.record
    clustered = "cluster" in table.obs
    field = Field(CLUSTERS, picked.job.folder.label(picked.image, CLUSTERS), True)
    numbers = table.obs["cluster"].astype(int).to_numpy() if clustered else np.zeros(len(table), int)
    classes = _classes(field, np.unique(numbers).tolist()) if clustered else {}
    height, width = (picked.patch.step * s for s in record.native_scale)
    corners = np.stack([table.obs["y"], table.obs["x"]], 1) * record.native_scale
    values = {name: table.obs[name].to_numpy() for name in ("confidence", "assignment") if name in table.obs}
    for first in range(0, len(table), TILES_AT_ONCE):
        part = slice(first, first + TILES_AT_ONCE)
        shapes = rectangles(corners[part], (height, width), **place_in_viewers(record))
        for row, (shape, number) in enumerate(zip(shapes, numbers[part].tolist(), strict=True), first):
            plain = classes.get(number) or ClusterClass("tile", _rgb(PLAIN))
            one = ClusterClass(plain.name, plain.color, {name: values[name][row].item() for name in values})
            yield feature(shape, one, row + 1, kind="tile")


def _classes(field: Field, present: list[int]) -> dict[int, ClusterClass]:
    return {
        value: ClusterClass(name, _rgb(PLAIN if colour == "n/a" else colour))
        for value, name, colour in labels_of(field, present)
    }


def _rgb(colour: str) -> Colour:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
