"""Stored images and films as lazy xarray values: cells are read when they are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from .array_files import as_written
from .cells import LabelCells
from .frame import Array, Box, Frame
from .image import StoredImage
from .placement import Placement
from .remote import ObjectPath

if TYPE_CHECKING:
    import xarray as xr


class _Indexed:
    """Values that are read box by box, with the slice indexing that xarray's lazy arrays need."""

    def __init__(self, read: Callable[[Box], Array], shape: tuple[int, ...], dtype: str) -> None:
        import numpy as np

        self._read = read
        self.shape, self.ndim = shape, len(shape)
        self.dtype: Any = np.dtype(dtype)

    def __getitem__(self, key: tuple[slice, ...]) -> Array:
        spans = [k.indices(n) for k, n in zip(key, self.shape, strict=True)]
        box = Box(tuple(s[0] for s in spans), tuple(max(s[0], s[1]) for s in spans))
        return self._read(box)[tuple(slice(None, None, s[2]) for s in spans)]


def as_dataarray(image: StoredImage, level: int, name: str) -> xr.DataArray:
    """A level as a DataArray: dims (c, y, x) or (y, x), coordinates are the cells' centres in micrometres.

    Coordinates of an oblique volume run along its own axes; `attrs["affine_um"]` is then the 4 x 4 matrix from cells
    (z, y, x, 1) to micrometres (z, y, x) in the scanner.
    """
    array = image.levels[level]
    source = _Indexed(array.read, array.spec.shape, array.spec.dtype)
    return _dataarray(source, array.spec.names, image.frames[level], image.placement, name)


def cells_as_dataarray(label: LabelCells, name: str) -> xr.DataArray:
    """A label as a DataArray on its cells, as the layers of a run are: dims (y, x) or (z, y, x)."""
    source = _Indexed(label.read, label.frame.shape, label.image.dtype)
    return _dataarray(source, label.frame.axes, label.frame, label.image.placement, name)


def _dataarray(source: _Indexed, names: tuple[str, ...], frame: Frame, placement: Placement, name: str) -> xr.DataArray:
    import xarray as xr
    from xarray.core import indexing

    class Backend(xr.backends.BackendArray):
        def __init__(self) -> None:
            self._source = source
            self.shape, self.dtype = source.shape, source.dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._basic)

        def _basic(self, key: tuple[Any, ...]) -> Array:
            whole = tuple(slice(k, k + 1) if not isinstance(k, slice) else k for k in key)
            values = self._source[whole]
            return values[tuple(0 if not isinstance(k, slice) else slice(None) for k in key)]

    data = indexing.LazilyIndexedArray(Backend())
    coords = {axis: (axis, frame.centres(i), {"units": "micrometer"}) for i, axis in enumerate(frame.axes)}
    attrs: dict[str, Any] = {"spacing_um": list(frame.spacing)}
    if not placement.straight:
        attrs["affine_um"] = placement.of_cells(frame).tolist()
    return xr.DataArray(xr.Variable(names, data), coords=coords, name=name, attrs=attrs)


def as_dataset(path: Path) -> xr.Dataset:
    """A store of arrays along common axes, such as films.zarr, lazy. Raises SettingsError for one in an object store."""
    import xarray as xr

    if isinstance(path, ObjectPath):
        raise SettingsError(f"{path} is opened from a disk: copy the folder of results to one.")
    with as_written(path):
        dataset: xr.Dataset = xr.open_zarr(path, consolidated=False)
    return dataset
