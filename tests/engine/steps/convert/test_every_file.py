"""One conversion of a folder of everything: each file is converted, rejected with code and advice, or named as no image."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
import zarr
from damage import cut, emptied, zeroed
from PIL import Image as Picture

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.cli.app import app
from tile_engine.stores.files import read_json
from tile_engine.stores.volumes.series import mark_of, uid_of

Array = np.ndarray[Any, Any]


def converted(folder: Path, out: Path, *words: str) -> tile_engine.Run:
    """The run that `convert` leaves: its status is 3, and every rejection has a code, and a message with advice."""
    status = app(["convert", str(folder), "--out", str(out), "--quiet", *words], standalone_mode=False)
    assert status == 3
    run = tile_engine.open_run(out)
    for one in run.rejected.values():
        assert one["code"].startswith("E_") and len(one["message"]) > 40 and "." in one["message"]
    return run


def accounted(run: tile_engine.Run) -> dict[str, str]:
    """Name of a file or series -> converted, its code, or why it is no image."""
    document: Any = read_json(run.out / "run.json")
    records: Any = read_json(run.out / "slides.json")
    found = {record["name"]: "converted" for record in records.values()}
    found |= {one["name"]: str(one["code"]) for one in run.rejected.values()}
    return found | {name: f"no image: {why}" for name, why in document["ignored"]}


def files_of(folder: Path) -> set[str]:
    """Names of the files below a folder; an OME-Zarr store is one."""
    found = set()
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder)
        stores = [name for name in folders if name.endswith(".zarr")]
        folders[:] = [name for name in folders if name not in stores]
        found |= {(here / name).as_posix() for name in (*stores, *names)}
    return found


def stored_of(run: tile_engine.Run, name: str) -> Array:
    records: Any = read_json(run.out / "slides.json")
    (image,) = (key for key, record in records.items() if record["name"] == name)
    return np.asarray(run.images[image].values)


def grey_of(path: Path) -> Array:
    """The pixels of a grey picture by other programs; transparency over white."""
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    picture = Picture.open(path)
    if picture.mode == "LA":
        grey, alpha = (np.asarray(band).astype(float) for band in picture.split())
        return (grey * alpha / 255 + 255 - alpha).round()
    values = np.asarray(picture)
    return values * np.uint8(255) if values.dtype == bool else values


SLOW = ("*10kx5k*", "openslide-cases")
"""Pictures of 50 MPix, and descriptions of slides without the slides."""
EVERY_TIME = pytest.mark.parametrize(
    "left_out", [SLOW, pytest.param((), marks=pytest.mark.nightly)], ids=["some", "all"]
)


def bad_files(data: Path, to: Path, left_out: tuple[str, ...]) -> Path:
    return Path(shutil.copytree(data / "bad", to, ignore=shutil.ignore_patterns(*left_out)))


@EVERY_TIME
def test_every_bad_file_as_a_slide(data: Path, tmp_path: Path, left_out: tuple[str, ...]) -> None:
    folder = bad_files(data, tmp_path / "bad", left_out)
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    run = tile_engine.cluster(
        folder, tmp_path / "out", options=options, mpp=0.5
    )  # `convert` takes such a mixture for unclear
    found = accounted(run)
    assert set(found) == files_of(folder) and len(found) > (100 if left_out else 900)
    good = [name for name, fate in found.items() if fate == "converted"]
    assert len(good) >= 17
    for name in good:
        pixels = stored_of(run, name)
        assert np.abs(pixels[0].astype(int) - grey_of(folder / name)).max() <= ("LA" in name), name


@EVERY_TIME
def test_every_bad_file_as_a_volume(data: Path, tmp_path: Path, left_out: tuple[str, ...]) -> None:
    folder = bad_files(data, tmp_path / "bad", left_out)
    run = converted(folder, tmp_path / "out", "--volumes")
    found = accounted(run)
    series = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*.dcm")}
    for name in files_of(folder) - set(found):  # the slices of a series are named by it
        assert f"{Path(name).parent.as_posix()}/{mark_of(uid_of(series[name]))}" in found
    good = [name for name, fate in found.items() if fate == "converted"]
    assert len(good) >= 8
    for name in good:
        pixels = stored_of(run, name)[0]
        if name.endswith(".dcm"):
            frames = pydicom.dcmread(folder / name).pixel_array
            assert np.array_equal(np.sort(pixels, None), np.sort(frames, None)), name
            continue
        peer = nibabel.as_closest_canonical(nibabel.load(folder / name))
        expected = np.nan_to_num(peer.get_fdata(), posinf=0, neginf=0).T
        np.testing.assert_allclose(pixels, expected, rtol=1e-6, err_msg=name)


HALF_UM: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
TILED: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None}


def section(height: int = 256, width: int = 320) -> Array:
    from skimage.data import immunohistochemistry

    glass = np.full((height, width, 3), 243, np.uint8)
    glass[64:-64, 64:-64] = immunohistochemistry()[: height - 128, : width - 128]
    return glass


def write(path: Path, *levels: Array, **options: Any) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for level in levels:
            tif.write(level, **TILED | HALF_UM | options)
    return path


def store(path: Path, pixels: Array, names: str = "cyx", unit: str = "micrometer", scale: float = 0.5) -> Path:
    group = zarr.create_group(path, zarr_format=2)
    chunks = tuple(min(64 if len(names) == 3 and "c" in names else 16, n) for n in pixels.shape)
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, chunks=chunks)[...] = pixels
    scales = [{"type": "scale", "scale": [scale if n in "zyx" else 1.0 for n in names]}]
    axes = [{"name": n, "type": "space", "unit": unit} if n != "c" else {"name": n, "type": "channel"} for n in names]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scales}]}]
    return path


def test_slides_of_all_kinds_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, scan = tmp_path / "in", section()
    (folder / "sub").mkdir(parents=True)
    half = np.ascontiguousarray(scan[::2, ::2])
    good = {
        write(folder / "any order.tif", half, scan).name,
        write(folder / "preview first.tif", np.ascontiguousarray(scan[::8, ::8][:, :30]), scan).name,
        write(folder / "markup.tif", scan, np.full_like(half, 90)).name,
        write(folder / "Präparat.tif", scan).name,
        emptied(write(folder / "sparse.tif", scan), range(5)).name,
        store(folder / "store.zarr", scan.transpose(2, 0, 1)).name,
        write(folder / "sub" / "markup.tif", scan).relative_to(folder).as_posix(),
    }
    (folder / "pyramid of nothing.zarr").mkdir()
    bad = {
        cut(write(folder / "cut.tif", scan, compression=None), tile=3).name: "E_TRUNCATED",
        zeroed(write(folder / "zeroed.tif", scan, half), range(20)).name: "E_TRUNCATED",
        emptied(write(folder / "lost.tif", scan, half), range(20)).name: "E_TRUNCATED",
        write(folder / "coarse.tif", scan, resolution=(72, 72), resolutionunit="INCH").name: "E_BAD_MPP",
        write(folder / "nothing said.tif", scan, resolution=None, resolutionunit=None).name: "E_NO_MPP",
        "empty.svs": "E_EMPTY",
        "page.svs": "E_NOT_A_SLIDE",
        "float.tif": "E_UNSUPPORTED_PIXELS",
        "grey.tif": "E_OTHER_PIXELS",
        store(folder / "hours.zarr", scan.transpose(2, 0, 1), unit="hour").name: "E_NO_MPP",
    }
    (folder / "empty.svs").touch()
    (folder / "page.svs").write_text("<!DOCTYPE html><html></html>")
    (folder / "notes.txt").write_text("words")
    tifffile.imwrite(folder / "float.tif", scan[..., 0].astype(np.float32), metadata=None, **HALF_UM)
    tifffile.imwrite(folder / "grey.tif", scan[..., 0], metadata=None, **HALF_UM)
    run = converted(folder, tmp_path / "out")
    found = accounted(run)
    assert {name: fate for name, fate in found.items() if fate.startswith("E_")} == bad
    assert {name for name, fate in found.items() if fate == "converted"} == good
    assert set(found) >= files_of(folder) - {"pyramid of nothing.zarr"} and "notes.txt" in found
    for name in good - {"sparse.tif"}:
        np.testing.assert_array_equal(stored_of(run, name), scan.transpose(2, 0, 1), err_msg=name)
    np.testing.assert_array_equal(stored_of(run, "sparse.tif")[:, 64:], scan.transpose(2, 0, 1)[:, 64:])
    said = capsys.readouterr().err
    assert "5 of 20 tiles absent" in said and "does not show what the finest level shows" in said


def test_volumes_of_all_kinds_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    k, j, i = np.indices((24, 28, 32)) - np.array([12, 14, 16])[:, None, None, None]
    ball = np.where((k / 10) ** 2 + (j / 12) ** 2 + (i / 13) ** 2 < 1, 400 + 5 * i + 3 * j, 20).astype(np.int16)
    cells = np.ascontiguousarray(ball.transpose(2, 1, 0))  # (x, y, z)
    turn, affine = np.radians(18), np.diag([2.0, 2, 2, 1])
    oblique = np.eye(4)
    oblique[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]

    def nifti(name: str, values: Array = cells, matrix: Array = affine) -> Path:
        nibabel.save(nibabel.Nifti1Image(values, matrix), folder / name)
        return folder / name

    mirrored = affine @ np.array([[-1, 0, 0, 31], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    good = [nifti("straight.nii.gz"), nifti("oblique.nii.gz", cells, oblique @ affine)]
    good += [
        nifti("mirrored.nii.gz", cells[::-1], mirrored),
        store(folder / "holes.zarr", ball, "zyx", "millimeter", 2.0),
    ]
    hole = zarr.open_array(folder / "holes.zarr" / "0", mode="r").metadata.encode_chunk_key((0, 0, 0))
    (folder / "holes.zarr" / "0" / hole).unlink()
    np.savez(folder / "only.npz", ball)
    nifti("time.nii.gz", np.stack([cells, cells], -1))
    nifti("constant.nii.gz", np.full_like(cells, 7))
    (folder / "flat.nii").write_bytes(bytearray(gzip.decompress(nifti("x.nii.gz").read_bytes()))[:20_000])
    (folder / "x.nii.gz").unlink()
    (folder / "empty.nii.gz").touch()
    (folder / "page.nii.gz").write_text("<html>502</html>")
    run = converted(folder, tmp_path / "out", "--volumes")
    found = accounted(run)
    assert {name: fate for name, fate in found.items() if fate.startswith("E_")} == {
        "time.nii.gz": "E_TIME",
        "constant.nii.gz": "E_DEGENERATE",
        "flat.nii": "E_TRUNCATED",
        "empty.nii.gz": "E_EMPTY",
        "page.nii.gz": "E_NOT_A_VOLUME",
    }
    assert {path.name for path in good} <= {name for name, fate in found.items() if fate == "converted"}
    for path in good[:3]:
        np.testing.assert_array_equal(stored_of(run, path.name)[0], ball, err_msg=path.name)
    with_hole = ball.copy()
    with_hole[:16, :16, :16] = 0
    np.testing.assert_array_equal(stored_of(run, "holes.zarr")[0], with_hole)
    (image,) = (s for s in run.slides if s.startswith("holes"))
    tissue = run.layers("tissue")[image].values
    assert (tissue[:16, :16, :16] == 3).all() and (tissue == 3).sum() == 16**3, "3 stands for absent"
    assert "1 of 1 tiles absent from the file" in capsys.readouterr().err


@pytest.mark.parametrize("side", [8, 20])
def test_an_image_smaller_than_a_patch_is_converted(tmp_path: Path, side: int) -> None:
    write(tmp_path / "a.tif", section()[100 : 100 + side, 100 : 100 + side])
    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    run = tile_engine.cluster(tmp_path / "a.tif", tmp_path / "out", options=how, threads=1, patch=32)
    (image,) = run.slides
    assert run.images[image].shape == (3, side, side) and not run.rejected
