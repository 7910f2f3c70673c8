"""geojson: cluster labels as annotations for QuPath, one merged shape a cluster, in pixels of the slide's finest level.

Edges between cells of different label are the only lines there are; all faces that they enclose are found in one pass, and
each face lies in exactly one label. So neighbours share their borders exactly, whatever the number of cells.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...stores.files import write_whole
from ...stores.frame import Array
from ...stores.remote import to_path
from .palette import Colour

FeatureCollection = dict[str, Any]
"""What `json` reads and writes: strings, numbers, lists and dictionaries of them."""

_IDENTIFIER_NAMESPACE = uuid.UUID("5b0f5a9e-6a0c-5d0e-8c9b-3f3f6f1f7c11")
"""Namespace of the annotations' UUIDs: equal shapes of a cluster have equal identifiers in every run."""


AREA = "area mm^2"
"""The measurement of an annotation's area."""


@dataclass(frozen=True, slots=True)
class ClusterClass:
    """How a cluster appears in QuPath."""

    name: str
    color: Colour
    measurements: Mapping[str, float] = field(default_factory=dict)
    """Numbers shown beside the annotation; values that are not finite are left out."""


def features(
    labels: Array,
    cell: tuple[float, float],
    *,
    offset: tuple[float, float] = (0.0, 0.0),
    extent: tuple[float, float] = (math.inf, math.inf),
    classes: Mapping[int, ClusterClass],
    pixel_um: tuple[float, float] | None = None,
) -> FeatureCollection:
    """One Feature per label present, ascending; `labels` int (y, x), 0 left out.

    `cell` is the (height, width) of a cell, `offset` the (y, x) of the grid's corner, and `extent` the (height, width) of the
    image, beyond which cells at its rim are cut off, all in pixels of level 0. Coordinates are x, y. With `pixel_um`,
    the (height, width) of such a pixel, areas are measured. Raises KeyError where a label has no class.
    """
    import shapely

    shapes = []
    for label, faces in _faces(np.asarray(labels)).items():
        cluster = classes[label]
        polygons = shapely.transform(
            shapely.multipolygons(faces),
            lambda corners: np.round(np.minimum(corners * cell[::-1], extent[::-1]) + np.array(offset[::-1]), 3),
        )
        if pixel_um:
            area = round(float(shapely.area(polygons)) * math.prod(pixel_um) / 1e6, 6)
            cluster = replace(cluster, measurements={**cluster.measurements, AREA: area})
        shapes.append(feature(polygons, cluster, label))
    return {"type": "FeatureCollection", "features": shapes}


def feature(shape: Any, cluster: ClusterClass, label: int, *, kind: str = "annotation") -> dict[str, Any]:
    """One of QuPath's objects: `kind` is annotation, tile or detection."""
    import shapely

    name = uuid.uuid5(_IDENTIFIER_NAMESPACE, f"{label}\n{cluster.name}\n{shapely.to_wkb(shape, hex=True)}")
    return {
        "type": "Feature",
        "id": str(name),
        "geometry": json.loads(shapely.to_geojson(shape)),
        "properties": {
            "objectType": kind,
            "name": cluster.name,
            "classification": {"name": cluster.name, "color": [int(v) for v in cluster.color]},
            "isLocked": False,
            "measurements": {k: float(v) for k, v in cluster.measurements.items() if math.isfinite(v)},
        },
    }


def rectangles(
    corners: Array, cell: tuple[float, float], *, offset: tuple[float, float], extent: tuple[float, float]
) -> Any:
    """Shapes of cells whose first corners (n, 2) are given as (y, x); the other arguments are those of `features`."""
    import shapely

    ends = np.minimum(corners + cell, extent) + offset
    first = corners + offset
    return shapely.box(*np.round([first[:, 1], first[:, 0], ends[:, 1], ends[:, 0]], 3))


def write_geojson(path: Path, collection: FeatureCollection) -> Path:
    """Write as UTF-8, whole or not at all; raises ValueError for numbers that JSON cannot hold."""
    write_whole(to_path(path), "".join(texts(collection["features"])).encode("utf-8"))
    return to_path(path)


def texts(features: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The text of a FeatureCollection, feature by feature; raises ValueError for numbers that JSON cannot hold."""
    yield '{"type":"FeatureCollection","features":['
    for number, one in enumerate(features):
        text = json.dumps(one, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        yield f",{text}" if number else text
    yield "]}"


def _faces(labels: Array) -> dict[int, list[Any]]:
    """Label -> its polygons in cells, holes cut out; regions that touch at a corner only stay apart."""
    import shapely

    if labels.ndim != 2:
        raise ValueError(f"labels lie on a grid (y, x), got shape {labels.shape}")
    if not (labels > 0).any():
        return {}
    lines = shapely.linestrings(_segments(np.pad(labels, 1)) - 1.0)
    faces = shapely.get_parts(shapely.polygonize(lines))
    cells = _inner_cells(faces)
    face_labels = labels[cells[:, 1], cells[:, 0]]
    order = np.lexsort((cells[:, 0], cells[:, 1], face_labels))
    out: dict[int, list[Any]] = {}
    for i in order:
        if face_labels[i] > 0:
            out.setdefault(int(face_labels[i]), []).append(faces[i])
    return out


def _segments(padded: Array) -> Array:
    """The lines between unlike cells, from corner to corner, float (line, 2 ends, x y); split where others meet them."""
    down = padded[:-1, :] != padded[1:, :]  # line below cell (y, x), from (x, y + 1) to (x + 1, y + 1)
    right = padded[:, :-1] != padded[:, 1:]  # line right of cell (y, x), from (x + 1, y) to (x + 1, y + 1)
    height, width = padded.shape
    # corner (y, x) joins up to four unit lines; where two pass straight through, the line goes on
    stop = np.ones((height + 1, width + 1), bool)
    across = down[:, :-1] & down[:, 1:] & ~right[:-1, :] & ~right[1:, :]
    along = right[:-1, :] & right[1:, :] & ~down[:, :-1] & ~down[:, 1:]
    stop[1:-1, 1:-1] = ~(across | along)
    horizontal = _runs(down, stop[1:-1, :])
    vertical = _runs(right.T, stop[:, 1:-1].T)
    lines = np.empty((len(horizontal) + len(vertical), 2, 2))
    lines[: len(horizontal), :, 1] = horizontal[:, :1] + 1
    lines[: len(horizontal), :, 0] = horizontal[:, 1:]
    lines[len(horizontal) :, :, 0] = vertical[:, :1] + 1
    lines[len(horizontal) :, :, 1] = vertical[:, 1:]
    return lines


def _runs(edges: Array, stop: Array) -> Array:
    """Runs of true along each row as (row, first corner, last corner), cut at the corners where `stop` is true."""
    # `stop` has one more column than `edges`: corners lie between the edges
    begins = edges & stop[:, :-1]
    ends = edges & stop[:, 1:]
    row, starts = np.nonzero(begins)
    _, stops = np.nonzero(ends)
    return np.column_stack([row, starts, stops + 1])


def _inner_cells(faces: Array) -> Array:
    """For each face the (x, y) of one cell in it: the one below right of its upper left corner."""
    import shapely

    corners, owner = shapely.get_coordinates(shapely.get_exterior_ring(faces), return_index=True)
    order = np.lexsort((corners[:, 0], corners[:, 1], owner))
    first = order[np.concatenate([[True], np.diff(owner[order]) > 0])]
    return np.asarray(corners[first].astype(np.int64))
