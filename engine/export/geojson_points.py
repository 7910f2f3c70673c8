"""geojson_points: GeoJSON with all its positions moved; long edges get points between, so that they bend as the map does."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import SettingsError
from ...stores.frame import Array

DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Nested lists around a position of each geometry."""
MOST_BETWEEN = 1000
"""Points that are added to one edge, at most."""


class _LostError(Exception):
    """A position that has no place on the other section."""


def moved_geojson(value: Any, move: Callable[[Array], Array], *, longest: float, name: str) -> tuple[Any, int, int]:
    """The value with its positions moved, and how many features were kept and lost.

    `move` takes positions (n, 2), (y, x); edges longer than `longest` are divided. A feature of which a position cannot be
    moved is left out. Members `bbox` are dropped, as they would be wrong. Raises SettingsError (E_GEOJSON) for other values.
    """
    try:
        if isinstance(value, dict) and value.get("type") == "FeatureCollection":
            features = [_feature(one, move, longest) for one in value["features"]]
            kept = [one for one in features if one is not None]
            return {**_without_bbox(value), "features": kept}, len(kept), len(features) - len(kept)
        if isinstance(value, list):  # as QuPath exports several objects
            features = [_feature(one, move, longest) for one in value]
            kept = [one for one in features if one is not None]
            return kept, len(kept), len(features) - len(kept)
        one = _feature(value, move, longest)
        if one is None:
            raise SettingsError(f"{name}: its only feature has no place on the other section.", "E_GEOJSON")
        return one, 1, 0
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SettingsError(f"{name} is no GeoJSON that can be understood ({error!r}).", "E_GEOJSON") from error


def _feature(value: Any, move: Callable[[Array], Array], longest: float) -> Any:
    """A feature or geometry; None where a position is lost."""
    try:
        if value["type"] != "Feature":
            return _geometry(value, move, longest)
        own = {key: _geometry(value[key], move, longest) for key in ("geometry", "nucleusGeometry") if value.get(key)}
        return {**_without_bbox(value), **own}
    except _LostError:
        return None


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
    points = np.array([position[:2] for position in (values if depth else [values])], np.float64).reshape(-1, 2)
    if longest and math.isfinite(longest):
        points = _divided(points, longest)
    moved = move(points[:, ::-1])[:, ::-1]
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
        n = min(MOST_BETWEEN, max(1, math.ceil(float(np.hypot(*(b - a))) / longest)))
        parts.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(parts)


def _without_bbox(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "bbox"}
