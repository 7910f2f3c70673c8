"""Stored images and films as lazy xarray values: cells are read when they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from .array_files import as_written
from .frame import Array, Box
from .image import StoredImage
from .remote import ObjectPath

if TYPE_CHECKING:
    import xarray as xr


class _Indexed:
    """A level of a stored image with the slice indexing that xarray's lazy arrays need."""

    def __init__(self, image: StoredImage, level: int) -> None:
        spec = image.levels[level].spec
        self._array = image.levels[level]
        self.shape, self.ndim = spec.shape, len(spec.shape)
        import numpy as np

        self.dtype: Any = np.dtype(spec.dtype)

    def __getitem__(self, key: tuple[slice, ...]) -> Array:
        spans = [k.indices(n) for k, n in zip(key, self.shape, strict=True)]
        box = Box(tuple(s[0] for s in spans), tuple(max(s[0], s[1]) for s in spans))
        return self._array.read(box)[tuple(slice(None, None, s[2]) for s in spans)]


def as_dataarray(image: StoredImage, level: int, name: str) -> xr.DataArray:
    """A level as a DataArray: dims (c, y, x) or (y, x), coordinates are the cells' centres in micrometres.

    Coordinates of an oblique volume run along its own axes; `attrs["affine_um"]` is then the 4 x 4 matrix from cells
    (z, y, x, 1) to micrometres (z, y, x) in the scanner.
    """
    import xarray as xr
    from xarray.core import indexing

    class Backend(xr.backends.BackendArray):
        def __init__(self) -> None:
            self._source = _Indexed(image, level)
            self.shape, self.dtype = self._source.shape, self._source.dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._basic)

        def _basic(self, key: tuple[Any, ...]) -> Array:
            whole = tuple(slice(k, k + 1) if not isinstance(k, slice) else k for k in key)
            values = self._source[whole]
            return values[tuple(0 if not isinstance(k, slice) else slice(None) for k in key)]

    frame, spec = image.frames[level], image.levels[level].spec
    data = indexing.LazilyIndexedArray(Backend())
    coords = {axis: (axis, frame.centres(i), {"units": "micrometer"}) for i, axis in enumerate(frame.axes)}
    attrs: dict[str, Any] = {"spacing_um": list(frame.spacing)}
    if not image.placement.straight:
        attrs["affine_um"] = image.placement.of_cells(frame).tolist()
    return xr.DataArray(xr.Variable(spec.names, data), coords=coords, name=name, attrs=attrs)


def as_dataset(path: Path) -> xr.Dataset:
    """A store of arrays along common axes, such as films.zarr, lazy. Raises SettingsError for one in an object store."""
    import xarray as xr

    if isinstance(path, ObjectPath):
        raise SettingsError(f"{path} is opened from a disk: copy the folder of results to one.")
    with as_written(path):
        dataset: xr.Dataset = xr.open_zarr(path, consolidated=False)
    return dataset
