"""An oblique volume keeps its affine: a marker is found at its place in the scanner, in every format and in its store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tile_engine.stores.frame import Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.lazy import as_dataarray
from tile_engine.stores.ngff import stored_affine
from tile_engine.stores.placement import cells_to_world, placement
from tile_engine.stores.volumes.reader import Volume, open_volume

Array = np.ndarray[Any, Any]
MARKER = (4, 17, 5)


def turned(x: float, z: float) -> Array:
    """Degrees about x, then z; columns are unit directions."""
    a, b = np.radians([x, z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    return about_x @ np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])


def affine(x: float = 20, z: float = 8, steps: tuple[float, ...] = (-3, 3, 4)) -> Array:
    whole = np.eye(4)
    whole[:3, :3] = turned(x, z) @ np.diag(steps)
    whole[:3, 3] = 60, -70, -50
    return whole


def body() -> Array:
    values = np.random.default_rng(0).integers(0, 50, (20, 24, 18)).astype(np.int16)
    values[MARKER] = 1000
    return values


def marker(volume: Volume) -> Array:
    """Where the brightest voxel lies, Right, Anterior, Superior in mm, by frame and placement."""
    frame = volume.frames[0]
    cell = np.array(np.unravel_index(volume.read(frame.box)[0].argmax(), frame.shape))
    on_grid = np.array(frame.origin) + (cell + 0.5) * frame.spacing
    return np.asarray(volume.placement.to_world(on_grid)[::-1] / 1e3)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mgz", "a.nrrd"])
@pytest.mark.parametrize("where", [affine(), affine(30, -25, (2, -3, 2)), affine(0, 0), affine(4, 2)])
def test_a_marker_is_found_at_its_place_in_the_scanner(tmp_path: Path, name: str, where: Array) -> None:
    if name.endswith("nrrd"):
        import nrrd

        header = {"space": "right-anterior-superior", "space directions": where[:3, :3].T, "space origin": where[:3, 3]}
        nrrd.write(str(tmp_path / name), body(), header, index_order="F")
    else:
        kind = nibabel.MGHImage if name.endswith("mgz") else nibabel.Nifti1Image
        nibabel.save(kind(body(), where), tmp_path / name)
    with open_volume(tmp_path / name) as volume:
        np.testing.assert_allclose(marker(volume), (where @ [*MARKER, 1])[:3], atol=1e-3)
        canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(body(), where)).affine
        np.testing.assert_allclose(volume.canonical_affine, canonical, atol=1e-4)
        back = volume.placement.to_grid(volume.placement.to_world(np.array([1.0, 2.0, 3.0])))
        np.testing.assert_allclose(back, [1, 2, 3], atol=1e-6)


def test_a_straight_volume_is_placed_by_its_frame_alone(nifti: Callable[..., Path]) -> None:
    with open_volume(nifti(body(), affine(0, 0) + 1e-9)) as volume:
        assert volume.placement.straight and not volume.notes
    with open_volume(nifti(body(), affine())) as volume:
        assert any("oblique" in note for note in volume.notes)


def test_a_store_and_its_coarser_levels_keep_the_affine(tmp_path: Path) -> None:
    canonical = tuple(map(tuple, nibabel.as_closest_canonical(nibabel.Nifti1Image(body(), affine())).affine.tolist()))
    fine = Frame(("z", "y", "x"), (18, 24, 20), (4000.0, 3000.0, 3000.0), (1000.0, -500.0, 20.0))
    first = (np.array(canonical) @ [0, 0, 0, 1])[2::-1] * 1e3
    fine = Frame(fine.axes, fine.shape, fine.spacing, tuple((first - np.array(fine.spacing) / 2).tolist()))
    place = placement(fine, canonical)
    frames = (fine, fine.coarsen((2, 2, 2)))
    image = StoredImage.create(tmp_path / "a.ome.zarr", ImageSpec(frames, 1, "int16", (32,) * 3, (32,) * 3))
    values = nibabel.as_closest_canonical(nibabel.Nifti1Image(body(), affine())).get_fdata().T.astype(np.int16)[None]
    image.write(0, fine.box, values)
    image.write(1, frames[1].box, values[:, ::2, ::2, ::2])
    image.finish(name="a", reference=(0.0, 0.0, 0.0), placement=place)
    stored = StoredImage.open(tmp_path / "a.ome.zarr")
    np.testing.assert_allclose(as_dataarray(stored, 0, "a").attrs["affine_um"], cells_to_world(canonical), atol=1e-3)
    coarse = np.array(as_dataarray(stored, 1, "a").attrs["affine_um"])
    np.testing.assert_allclose(coarse @ [0, 0, 0, 1], cells_to_world(canonical) @ [0.5, 0.5, 0.5, 1], atol=1e-3)
    with open_volume(tmp_path / "a.ome.zarr") as again:
        np.testing.assert_allclose(marker(again), (affine() @ [*MARKER, 1])[:3], atol=1e-3)
        assert not any("assumed" in note for note in again.notes)


@pytest.mark.parametrize(("z", "y", "x"), [("superior-to-inferior", "left-to-right", "anterior-to-posterior")])
def test_the_orientation_of_axes_is_read(tmp_path: Path, z: str, y: str, x: str) -> None:
    import zarr

    values = np.random.default_rng(0).integers(1, 90, (5, 6, 7)).astype(np.int16)
    group = zarr.open_group(tmp_path / "b.ome.zarr", mode="w", zarr_format=3)
    axes, datasets = [], []
    for name, value in (("z", z), ("y", y), ("x", x)):
        orientation = {"type": "anatomical", "value": value}
        axes.append({"name": name, "type": "space", "unit": "millimeter", "orientation": orientation})
    for level, cells in enumerate((values, values[::2, ::2, ::2])):
        group.create_array(str(level), shape=cells.shape, chunks=cells.shape, dtype="int16")[:] = cells
        scale = [2.0 * 2**level, 3.0 * 2**level, 4.0 * 2**level]
        shift = [10 + (2**level - 1), 20 + 1.5 * (2**level - 1), 30 + 2.0 * (2**level - 1)]
        transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "b", "axes": axes, "datasets": datasets}]}
    with open_volume(tmp_path / "b.ome.zarr") as volume:
        frame = volume.frames[0]
        np.testing.assert_array_equal(volume.read(frame.box)[0], values.transpose(0, 2, 1)[::-1, ::-1, :])
        assert frame.spacing == (2000.0, 4000.0, 3000.0) and not any("assumed" in note for note in volume.notes)
        ends = [-(10 + 2 * 4) - 1, -(30 + 4 * 6) - 2, 20 - 1.5]  # lower edges in mm along Superior, Anterior, Right
        np.testing.assert_allclose(frame.origin, np.array(ends) * 1e3)
        coarse = volume.frames[1]
        np.testing.assert_array_equal(
            volume.read(coarse.box, 1)[0], values[::2, ::2, ::2].transpose(0, 2, 1)[::-1, ::-1, :]
        )
        up = [o + n * s for o, n, s in zip(coarse.origin, coarse.shape, coarse.spacing, strict=True)]
        top = [o + n * s for o, n, s in zip(frame.origin, frame.shape, frame.spacing, strict=True)]
        np.testing.assert_allclose([up[0], up[1], coarse.origin[2]], [top[0], top[1], frame.origin[2]])


def test_a_damaged_affine_of_a_store_is_refused(tmp_path: Path) -> None:
    from tile_engine.errors import SlideError

    with pytest.raises(SlideError, match="affine"):
        stored_affine({"tile_engine": {"coordinateTransformations": [{"affine": [[1, 2]]}]}})
