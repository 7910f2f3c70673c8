"""spatial_data: a slide as a SpatialData store: image, labels, tiles as shapes, and the table that annotates them.

Written without the package of that name, whose formats these are (container 0.2, rasters 0.3, tables 0.2, and shapes 0.1, the
one that is no Parquet). Levels are copies of the run's own shards. The coordinate system `global` is in micrometres from
the image's corner, wherever its file places that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...stores.array import ArraySpec, StoredArray
from ...stores.files import write_json
from ...stores.frame import Array, Frame
from ...stores.image import StoredImage, attributes_of, group_document
from ...stores.regular import read_regular
from ...stores.tables import encoded_table
from ...stores.zarr_v2 import consolidate
from .label_grid import labels_on_image
from .picked import Picked

CONTAINER, RASTERS, SHAPES, TABLES = "0.2", "0.3", "0.1", "0.2"
"""Versions of SpatialData's formats."""
RASTER_VERSION = "0.5-dev-spatialdata"
POLYGON = 3
"""Shapely's number of the geometry."""
SYSTEM = "global"
TILES, TABLE = "tiles", "table"
"""Names of the shapes and of their table, which differ, as names of all elements do."""


def write_spatial_data(picked: Picked, folder: Path) -> None:
    """Write ID.zarr."""
    root = folder / f"{picked.image}.zarr"
    _group(root, {"spatialdata_attrs": {"version": CONTAINER, "spatialdata_software_version": "tile-engine"}})
    _group(root / "images", {})
    _raster(root / "images" / "image", picked.stored)
    names = [field.name for field in picked.labels]
    _group(root / "labels", {"ome": {"labels": names}})
    with labels_on_image(picked, folder) as labels:
        for name, label in labels:
            _raster(root / "labels" / name, label)
    table = picked.tiles()
    ids = np.arange(1, len(table) + 1)
    _group(root / "shapes", {})
    step = picked.patch.step * np.array(picked.record.spacing)
    first = np.stack([table.obs["y"], table.obs["x"]], 1) * picked.record.spacing
    ends = [n * s for n, s in zip(picked.record.shape, picked.record.spacing, strict=True)]
    _squares(root / "shapes" / TILES, first, np.minimum(first + step, ends), ids)
    table.obsm["spatial"] = table.obsm["spatial"] - np.array(picked.record.origin[::-1])
    table.obs["instance_id"] = ids
    table.obs["region"] = TILES
    table.obs["region"] = table.obs["region"].astype("category")
    keys = {"region": TILES, "region_key": "region", "instance_key": "instance_id"}
    table.uns["spatialdata_attrs"] = keys
    _group(root / "tables", {})
    more = keys | {"spatialdata-encoding-type": "ngff:regions_table", "version": TABLES}
    for name, data in encoded_table(table, attributes=more).items():
        path = root / "tables" / TABLE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    consolidate(root, zarr_format=3)


def _raster(path: Path, image: StoredImage) -> None:
    """The levels of an image or label with SpatialData's metadata; their scale to `global` is one transformation."""
    frame, ome = image.frames[0], attributes_of(image.path)["ome"]
    has_channels = image.levels[0].spec.names[0] == "c"
    lead = ["c"] if has_channels else []
    names, ones = [*lead, *frame.axes], [1.0 for _ in lead]
    axes = [{"name": n, "type": "channel" if n == "c" else "space"} for n in names]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": ones + _ratios(one, frame)}],
        }
        for level, one in enumerate(image.frames)
    ]
    whole = {"type": "scale", "scale": ones + list(frame.spacing), **_between(names)}
    value = {"name": path.name, "axes": axes, "datasets": datasets, "coordinateTransformations": [whole]}
    more = {key: ome[key] for key in ("omero", "image-label") if key in ome}
    _group(
        path,
        {
            "ome": {"version": RASTER_VERSION, "multiscales": [value], **more},
            "spatialdata_attrs": {"version": RASTERS},
        },
    )
    for level, array in enumerate(image.levels):
        for file in sorted(array.path.rglob("*")):
            if file.is_dir():
                continue
            target = path / str(level) / file.relative_to(array.path).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read_regular(file))


def _ratios(frame: Frame, finest: Frame) -> list[float]:
    """Of the shapes, as SpatialData has it, which takes the extents of all levels for the same."""
    return [n / m for n, m in zip(finest.shape, frame.shape, strict=True)]


def _squares(path: Path, first: Array, last: Array, ids: Array) -> None:
    """Closed rings of five points (x, y) from the corners (y, x) of squares, in micrometres."""
    (top, left), (bottom, right) = first.T, last.T
    across, down = np.stack([left, right, right, left, left], 1), np.stack([top, top, bottom, bottom, top], 1)
    coords, count = np.stack([across, down], 2), len(ids)
    transform = {"type": "identity", **_between(["x", "y"])}
    geometry = {"name": "POLYGON", "type": POLYGON}
    _group(
        path,
        {
            "encoding-type": "ngff:shapes",
            "axes": ["x", "y"],
            "coordinateTransformations": [transform],
            "spatialdata_attrs": {"version": SHAPES, "geos": geometry},
        },
    )
    arrays = {"coords": coords.reshape(5 * count, 2), "offset0": np.arange(0, 5 * count + 1, 5)}
    arrays |= {"offset1": np.arange(count + 1), "Index": ids}
    for name, values in arrays.items():
        shard = tuple(max(1, n) for n in values.shape)
        names = tuple(f"axis{i}" for i in range(values.ndim))
        array = StoredArray.create(path / name, ArraySpec(values.shape, values.dtype.name, shard, shard, names))
        for box in array.spec.shards:
            array.write(box, values)


def _between(names: Sequence[str]) -> dict[str, Any]:
    """Input and output of a transformation, as SpatialData's extension of NGFF has them."""
    space = [
        {"name": n, "type": "channel"} if n == "c" else {"name": n, "type": "space", "unit": "micrometer"}
        for n in names
    ]
    return {"input": {"name": "".join(names), "axes": space}, "output": {"name": SYSTEM, "axes": space}}


def _group(path: Path, attributes: Mapping[str, Any]) -> None:
    write_json(path / "zarr.json", group_document(attributes))
