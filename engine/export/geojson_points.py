"""geojson_points: GeoJSON with all its positions moved; long edges get points between, so that they bend as the map does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array

DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Nested lists around a position of each geometry."""
MEASUREMENTS = "measurements"
"""Member of the properties in which QuPath keeps what it measured of an object."""
MOST_BETWEEN = 1000
"""Points that are added to one edge, at most."""


@dataclass(frozen=True, slots=True)
class MovedGeojson:
    """A GeoJSON value whose positions were moved."""

    value: Any
    kept: int
    """Features that it has."""
    lost: int
    """Features that were left out."""
    measurements: int
    """Features whose measurements were left out."""


class _LostError(Exception):
    """A position that has no place on the other section."""


def moved_geojson(value: Any, move: Callable[[Array], Array], *, longest: float, name: str) -> MovedGeojson:
    """The value with its positions moved; a third coordinate stays.

    `move` takes positions (n, 2), (y, x); edges longer than `longest` are divided. A feature of which a position cannot be
    moved is left out. Members `bbox` and QuPath's `measurements` (areas, centroids, lengths) are dropped, as they would be
    wrong. Raises SettingsError (E_GEOJSON) for other values, and for positions that are not finite.
    """
    try:
        several = isinstance(value, list)  # as QuPath exports several objects
        collection = isinstance(value, dict) and value.get("type") == "FeatureCollection"
        before = value if several else value["features"] if collection else [value]
        moved = [(one, _feature(one, move, longest)) for one in before]
        features = [after for _, after in moved if after is not None]
        measured = sum(_is_measured(one) for one, after in moved if after is not None)
        counts = len(features), len(moved) - len(features), measured
        if several:
            return MovedGeojson(features, *counts)
        if collection:
            return MovedGeojson({**_without_bbox(value), "features": features}, *counts)
        if not features:
            raise SettingsError(f"{name}: its only feature has no place on the other section.", "E_GEOJSON")
        return MovedGeojson(features[0], *counts)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise SettingsError(f"{name} is no GeoJSON that can be understood ({error!r}).", "E_GEOJSON") from error


def _feature(value: Any, move: Callable[[Array], Array], longest: float) -> Any:
    """A feature or geometry; None where a position is lost."""
    try:
        if value["type"] != "Feature":
            return _geometry(value, move, longest)
        own = {key: _geometry(value[key], move, longest) for key in ("geometry", "nucleusGeometry") if value.get(key)}
        if _is_measured(value):
            properties = {key: one for key, one in value["properties"].items() if key != MEASUREMENTS}
            own["properties"] = properties
        return {**_without_bbox(value), **own}
    except _LostError:
        return None


def _is_measured(value: Any) -> bool:
    return value["type"] == "Feature" and bool((value.get("properties") or {}).get(MEASUREMENTS))


def _geometry(value: Any, move: Callable[[Array], Array], longest: float) -> Any:
    if value["type"] == "GeometryCollection":
        inside = [_geometry(one, move, longest) for one in value["geometries"]]
        return {**_without_bbox(value), "geometries": inside}
    depth = DEPTHS[value["type"]]
    lines = value["type"] not in ("Point", "MultiPoint")
    return {
        **_without_bbox(value),
        "coordinates": _positions(value["coordinates"], depth, move, longest if lines else 0),
    }


def _positions(values: Any, depth: int, move: Callable[[Array], Array], longest: float) -> Any:
    if depth > 1:
        return [_positions(one, depth - 1, move, longest) for one in values]
    points = np.array(values if depth else [values], np.float64)  # ValueError where they differ in length
    if points.ndim != 2 or points.shape[1] < 2 or not np.isfinite(points).all():
        if points.size:
            raise ValueError("a position is two or three finite numbers")
        return []
    if longest and math.isfinite(longest):
        points = _divided(points, longest)
    moved = np.concatenate([move(points[:, 1::-1])[:, ::-1], points[:, 2:]], 1)
    if not np.isfinite(moved).all():
        raise _LostError
    rounded = np.round(moved, 3).tolist()
    return rounded if depth else rounded[0]


def _divided(points: Array, longest: float) -> Array:
    """The line with points between those that lie further apart than `longest`.

    >>> _divided(np.array([[0.0, 0.0], [4.0, 0.0]]), 2.0).tolist()
    [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]
    """
    parts = [points[:1]]
    for a, b in pairwise(points):
        n = min(MOST_BETWEEN, max(1, math.ceil(float(np.hypot(*(b - a)[:2])) / longest)))
        parts.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(parts)


def _without_bbox(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "bbox"}
