"""A volume is the same whatever holds it and however it was stored, and what cannot be one is refused with its reason."""

from __future__ import annotations

import gzip
import threading
import zipfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.errors import SlideError
from tile_engine.stores import packed_arrays
from tile_engine.stores.frame import Box
from tile_engine.stores.volumes import npz_reader, voxels
from tile_engine.stores.volumes.orient import canonical
from tile_engine.stores.volumes.reader import Volume, open_volume

Array = np.ndarray[Any, Any]
Nifti = Callable[..., Path]


def body(shape: tuple[int, ...] = (9, 8, 7), dtype: str = "int16") -> Array:
    return np.random.default_rng(5).integers(0, 120, shape).astype(dtype)


def whole(volume: Volume) -> Array:
    return volume.read(volume.frames[0].box)


def code_of(path: Path, part: str = "") -> str:
    with pytest.raises(SlideError) as failure:
        open_volume(path, part)
    assert path.name.split(".")[0] in failure.value.message
    return failure.value.code


def oracle(path: Path) -> Array:
    """(z, y, x) as nibabel turns it."""
    return np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj).T


@given(
    st.sampled_from(list(permutations(range(3)))),
    st.tuples(*[st.booleans()] * 3),
    st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 3.25])] * 3),
)
def test_however_axes_were_turned_and_mirrored_the_volume_is_one(
    order: tuple[int, ...], mirrored: tuple[bool, ...], sizes: tuple[float, ...]
) -> None:
    array = body()
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = (-7, 11, 3.5)
    stored, turned = array, affine.copy()
    for axis, back in enumerate(mirrored):
        if back:
            stored = np.flip(stored, axis)
            turned[:3, 3] += turned[:3, axis] * (array.shape[axis] - 1)
            turned[:3, axis] *= -1
    stored, turned = stored.transpose(order), turned[:, [*order, 3]]

    def volume(cells: Array, where: Array) -> Volume:
        held = voxels.Voxels("test", cells.shape, cells.dtype, voxels.in_memory(cells), voxels.affine_of(where))
        return Volume("test", held)

    plain, other = volume(array, affine), volume(stored, turned)
    assert plain.frames == other.frames
    np.testing.assert_array_equal(whole(plain), whole(other))
    np.testing.assert_array_equal(whole(plain)[0], array.T)
    box = Box((1, 2, 3), (4, 7, 8))
    np.testing.assert_array_equal(plain.read(box), other.read(box))
    assert plain.frames[0].spacing == tuple(1e3 * s for s in sizes[::-1])
    assert plain.frames[0].origin == tuple(1e3 * (t - s / 2) for t, s in zip((3.5, 11, -7), sizes[::-1], strict=True))


def rotated(degrees: float) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 5], [s, c, 0, 6], [0, 0, 1.5, 7], [0, 0, 0, 1]])


def test_an_oblique_volume_is_turned_as_nibabel_turns_it_and_keeps_its_affine(nifti: Nifti) -> None:
    affine = rotated(30) @ np.array([[0, -1, 0, 0], [0, 0, 2, 0], [3, 0, 0, 0], [0, 0, 0, 1]])
    path = nifti(body(), affine)
    with open_volume(path) as volume:
        np.testing.assert_array_equal(whole(volume)[0], oracle(path))
        np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
        assert any("oblique" in note for note in volume.notes)
        zooms = nibabel.as_closest_canonical(nibabel.load(path)).header.get_zooms()
        np.testing.assert_allclose(volume.frames[0].spacing, 1e3 * np.array(zooms)[::-1], rtol=1e-6)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr", "a.img"])
@pytest.mark.parametrize("kind", ["NIfTI-1", "NIfTI-2"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "int64"])
@pytest.mark.parametrize("order", "<>")
def test_every_type_and_byte_order_comes_as_it_is(tmp_path: Path, name: str, kind: str, dtype: str, order: str) -> None:
    pair = not name.startswith("a.nii")
    made = {"NIfTI-1": (nibabel.Nifti1Image, nibabel.Nifti1Pair), "NIfTI-2": (nibabel.Nifti2Image, nibabel.Nifti2Pair)}
    cls = made[kind][pair]
    array = body(dtype=dtype)
    image = cls(array, np.diag([1, 2, 3, 1]), header=cls.header_class(endianness=order), dtype=dtype)
    nibabel.save(image, tmp_path / name)
    with open_volume(tmp_path / name) as volume:
        assert (volume.dtype, volume.reader, volume.background, volume.channels) == (dtype, "nifti", 0, 1)
        assert whole(volume).dtype == np.dtype(dtype) and whole(volume).dtype.isnative
        np.testing.assert_array_equal(whole(volume)[0], array.T)


@pytest.mark.parametrize(
    ("slope", "inter", "dtype"),
    [
        (2.0, -3.0, "float32"),
        (1.0, 0.0, "int16"),
        (0.0, 5.0, "int16"),
        (np.nan, np.nan, "int16"),
        (1.0, 5.0, "float32"),
    ],
)
def test_values_are_scaled_where_the_header_says_so(nifti: Nifti, slope: float, inter: float, dtype: str) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(bytes(data))
    with open_volume(path) as volume:
        assert volume.dtype == dtype
        np.testing.assert_allclose(whole(volume)[0], nibabel.load(path).get_fdata().T)


@pytest.mark.parametrize(("unit", "length"), [(0, 1.0), (1, 1e3), (2, 1.0), (3, 1e-3)])
def test_units_of_length(nifti: Nifti, unit: int, length: float) -> None:
    path = nifti(body(), np.diag([1.0, 2.0, 3.0, 1.0]), change=lambda h: h.__setitem__("xyzt_units", unit))
    with open_volume(path) as volume:
        np.testing.assert_allclose(volume.frames[0].spacing, np.array([3e3, 2e3, 1e3]) * length)
        np.testing.assert_allclose(np.diag(volume.affine), np.array([1, 2, 3, 1 / length]) * length)


def test_sform_goes_before_qform_and_is_said_to(nifti: Nifti) -> None:
    def change(header: Any) -> None:
        header.set_sform(np.diag([2.0, 2.0, 2.0, 1.0]), 1)
        header.set_qform(np.diag([-2.0, 2.0, 2.0, 1.0]), 1)

    with open_volume(nifti(body(), change=change)) as volume:
        assert any("sform and qform disagree" in note for note in volume.notes)
        np.testing.assert_array_equal(whole(volume)[0], body().T)


def test_one_point_in_time_is_taken_and_none_is_refused(nifti: Nifti) -> None:
    series = body((5, 4, 3, 6))
    for name in ("a.nii", "b.nii.gz"):
        path = nifti(series, name=name)
        for t in (0, 3, 5):
            with open_volume(path, f"t={t}") as volume:
                np.testing.assert_array_equal(whole(volume)[0], series[..., t].T)
        assert [code_of(path, part) for part in ("", "t=6", "x")] == ["E_TIME"] * 3
    with open_volume(nifti(series[..., :1]), "") as volume:
        assert volume.frames[0].shape == (3, 4, 5)


def test_five_axes_pictures_complex_numbers_and_colours_are_refused(nifti: Nifti) -> None:
    assert code_of(nifti(body((4, 4, 4, 1, 3)))) == "E_NOT_A_VOLUME"
    assert code_of(nifti(body((8, 8)))) == "E_NOT_A_VOLUME"
    for shape in ((8, 8, 1), (1, 8, 8)):
        with pytest.raises(SlideError, match=rf"is one slice \({' x '.join(map(str, shape))}\)") as refused:
            open_volume(nifti(body(shape)))
        assert refused.value.code == "E_NOT_A_VOLUME"
    assert code_of(nifti(body().astype(np.complex64))) == "E_UNSUPPORTED_PIXELS"
    colours = np.zeros((4, 4, 4), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    assert code_of(nifti(colours)) == "E_UNSUPPORTED_PIXELS"


SHEARED = np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    "affine",
    [SHEARED, np.diag([1, 0, 1, 1.0]), np.diag([1, np.nan, 1, 1.0]), np.diag([1, np.inf, 1, 1.0]), np.zeros((4, 4)),
     np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])],
)  # fmt: skip
def test_affines_that_mean_nothing_are_refused(affine: Array) -> None:
    with pytest.raises(SlideError) as failure:
        canonical("x", voxels.affine_of(affine), (3, 3, 3))
    assert failure.value.code == "E_AFFINE"


def test_rounding_is_no_shear() -> None:
    affine = rotated(17) @ np.diag([0.9, 1.1, 3, 1]) + np.random.default_rng(0).normal(0, 1e-4, (4, 4)) * [
        [1],
        [1],
        [1],
        [0],
    ]
    assert canonical("x", voxels.affine_of(affine), (3, 3, 3)).oblique


def test_a_sheared_sform_in_a_file_is_refused(nifti: Nifti) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[280:328] = SHEARED[:3].astype("<f4").tobytes()
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_AFFINE"
    data[280:328] = bytes(48)
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_AFFINE"


def test_what_is_no_number_is_read_as_zero_and_said(nifti: Nifti) -> None:
    array = body(dtype="float32")
    array[0, 0, 0], array[1, 1, 1], array[2, 2, 2] = np.nan, np.inf, -np.inf
    with open_volume(nifti(array)) as volume:
        assert any(note.startswith("3 cells") for note in volume.notes)
        found = whole(volume)[0].T
        assert np.isfinite(found).all() and found[0, 0, 0] == found[1, 1, 1] == found[2, 2, 2] == 0


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_nothing_to_see_is_refused(nifti: Nifti, name: str, value: float) -> None:
    array = np.full((6, 5, 4), value, np.float32)
    assert code_of(nifti(array, name=name)) == "E_DEGENERATE"
    array[5, 4, 3] = 1
    assert open_volume(nifti(array, name=name)).dtype == "float32"


def test_files_that_were_cut_short(nifti: Nifti, tmp_path: Path) -> None:
    for name in ("a.nii", "b.nii.gz", "c.hdr"):
        path = nifti(body((30, 30, 30)), name=name) if name != "c.hdr" else tmp_path / "c.hdr"
        if name == "c.hdr":
            nibabel.save(nibabel.Nifti1Pair(body((30, 30, 30)), np.eye(4)), path)
        cut = path.with_suffix(".img") if name == "c.hdr" else path
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
        assert code_of(path) == "E_TRUNCATED"
        cut.write_bytes(b"")
        assert code_of(path) == ("E_TRUNCATED" if name == "c.hdr" else "E_EMPTY")
        cut.unlink()
        assert code_of(path) == ("E_MISSING_COMPANION" if name == "c.hdr" else "E_MISSING")


def test_a_flipped_byte_of_a_packed_volume_is_found(nifti: Nifti) -> None:
    path = nifti(body((30, 30, 30)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_TRUNCATED"


def test_a_checksum_that_does_not_fit_is_found(nifti: Nifti) -> None:
    path = nifti(body((30, 30, 30)))
    data = bytearray(path.read_bytes())
    data[-8] ^= 0xFF
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_TRUNCATED"


def test_labels_that_are_objects_are_not_opened(tmp_path: Path) -> None:
    labels = np.array([[{}]], object)
    np.savez(tmp_path / "a.npz", train_images=body((1, 5, 6, 7), "uint8"), train_labels=labels)
    with pytest.raises(SlideError, match="pickled"):
        list(npz_reader.members(tmp_path / "a.npz"))


def test_labels_of_volumes_are_as_in_lists_and_those_that_are_not_read_are_named(tmp_path: Path) -> None:
    volumes = body((2, 5, 6, 7), "uint8")
    np.savez(tmp_path / "a.npz", train_images=volumes, train_labels=[1.0, np.nan], test_images=volumes, test_labels=[1])
    labels = {part: columns.get("label") for part, columns in npz_reader.members(tmp_path / "a.npz")}
    assert labels == {"train_images/0": "1", "train_images/1": "", "test_images/0": None, "test_images/1": None}
    with open_volume(tmp_path / "a.npz", "test_images/0") as volume:
        assert any("`test_labels` has not a row for each of 2 volumes" in note for note in volume.notes)
    np.savez(tmp_path / "b.npz", x=volumes, labels=[0, 1])
    with open_volume(tmp_path / "b.npz", "x/0") as volume:
        assert any("`labels` has a row for each of 2 volumes and is not read" in note for note in volume.notes)


def test_what_is_no_volume_is_named(tmp_path: Path) -> None:
    for content, code in (
        (b"<html>404</html>", "E_NOT_A_VOLUME"),
        (b"some words", "E_NOT_A_VOLUME"),
        (b"ObjectType = Image\nNDims = 3\n", "E_NOT_A_VOLUME"),
        (b"\x93NUMPY\x01\0", "E_NOT_A_VOLUME"),
        (b"\x89PNG\r\n\x1a\n", "E_NOT_A_VOLUME"),
        (b"", "E_EMPTY"),
        (b"\x1f\x8b" + b"x" * 50, "E_NOT_A_VOLUME"),
        (gzip.compress(b"words"), "E_NOT_A_VOLUME"),
        (b"PK\x03\x04" + b"\0" * 40, "E_NOT_A_VOLUME"),
    ):
        path = tmp_path / "x.nii.gz"
        path.write_bytes(content)
        assert code_of(path) == code
    (tmp_path / "x").mkdir()
    assert code_of(tmp_path / "x") == "E_NOT_A_VOLUME"


def test_formats_of_volumes_that_are_not_read_say_what_to_do(tmp_path: Path) -> None:
    for content, said in (
        (b"ObjectType = Image\nNDims = 3\n", "MetaImage; convert it to NIfTI or NRRD"),
        (b"Comment = a\nObjectType = Image\nNDims = 3\n", "MetaImage; convert it"),
        (b"\x93NUMPY\x01\0", "npy; save its array with numpy.savez"),
    ):
        (tmp_path / "a.mha").write_bytes(content)
        with pytest.raises(SlideError, match=said):
            open_volume(tmp_path / "a.mha")


def test_the_name_does_not_decide(nifti: Nifti, tmp_path: Path) -> None:
    path = nifti(body())
    path.rename(tmp_path / "scan.dcm")
    with open_volume(tmp_path / "scan.dcm") as volume:
        assert volume.reader == "nifti"


def test_claims_beyond_all_bounds_are_refused_before_memory_is_asked_for(nifti: Nifti) -> None:
    path = nifti(body(), name="a.nii")
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([20000, 20000, 20000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(data)))
    assert code_of(path) == "E_TOO_BIG"
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_TRUNCATED"
    data[42:48] = np.array([-3, 5, 5], "<i2").tobytes()
    path.write_bytes(bytes(data))
    assert code_of(path) == "E_MALFORMED"


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_mgh_is_read_as_nibabel_reads_it(tmp_path: Path, name: str) -> None:
    affine = np.array([[-1, 0, 0, 90], [0, 0, 1, -100], [0, -1, 0, 80], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.MGHImage(body(), affine), tmp_path / name)
    with open_volume(tmp_path / name) as volume:
        assert (volume.reader, volume.dtype) == ("mgh", "int16")
        np.testing.assert_array_equal(whole(volume)[0], oracle(tmp_path / name))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:300])
    assert code_of(tmp_path / name) == "E_TRUNCATED"


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("detached", [False, True])
def test_nrrd_is_read_as_simpleitk_reads_it(tmp_path: Path, encoding: str, detached: bool) -> None:
    import SimpleITK

    header = {
        "space": "left-posterior-superior",
        "space directions": [[0.0, 1.5, 0.0], [-2.0, 0.0, 0.0], [0.0, 0.0, 3.0]],
        "space origin": [10.0, 20.0, 30.0],
        "encoding": encoding,
    }
    path = tmp_path / ("a.nhdr" if detached else "a.nrrd")
    nrrd.write(str(path), body(), header, detached_header=detached)
    if encoding == "ascii":
        assert code_of(path) == "E_UNSUPPORTED_PIXELS"
        return
    with open_volume(path) as volume:
        lps = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "RAS") if encoding != "bzip2" else None
        if lps is not None:
            np.testing.assert_array_equal(whole(volume)[0], SimpleITK.GetArrayFromImage(lps))
            assert volume.frames[0].spacing == tuple(1e3 * s for s in lps.GetSpacing()[::-1])
        else:
            np.testing.assert_array_equal(whole(volume)[0].T, body().transpose(1, 0, 2)[:, ::-1])
        assert (volume.reader, volume.dtype) == ("nrrd", "int16")


def test_nrrd_that_leads_out_of_its_folder_or_lost_its_voxels(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nhdr"), body(), detached_header=True)
    text = (tmp_path / "a.nhdr").read_bytes()
    file = next(p for p in tmp_path.iterdir() if p.name.startswith("a.raw")).name.encode()
    for name, code in ((b"../b.raw", "E_PATH"), (b"/etc/hostname", "E_PATH"), (b"gone.raw", "E_MISSING_COMPANION")):
        (tmp_path / "a.nhdr").write_bytes(text.replace(file, name))
        assert code_of(tmp_path / "a.nhdr") == code


def test_npz_stacks_are_unpacked_once_and_hold_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = body((4, 5, 6, 7), "uint8")
    np.savez_compressed(
        tmp_path / "a.npz", train_images=stack, train_labels=np.arange(4)[:, None], flags=np.array([{}], dtype=object)
    )
    opened = []
    unpacked = packed_arrays._unpacked
    monkeypatch.setattr(packed_arrays, "_unpacked", lambda *a: opened.append(a) or unpacked(*a))
    for number in range(4):
        with open_volume(tmp_path / "a.npz", f"train_images/{number}") as volume:
            np.testing.assert_array_equal(whole(volume)[0], stack[number])
    assert len(opened) == 1
    for part in ("", "train_images", "train_images/4", "train_images/-1", "other/0", "train_labels/0"):
        assert code_of(tmp_path / "a.npz", part) == "E_NOT_A_VOLUME"
    np.savez(tmp_path / "b.npz", volume=np.empty((3, 3, 3), object))
    assert code_of(tmp_path / "b.npz", "volume") == "E_UNSUPPORTED_PIXELS"
    monkeypatch.setattr(npz_reader, "MAX_VOLUME_BYTES", 100)
    np.savez_compressed(tmp_path / "c.npz", volume=np.zeros((30, 30, 30)))
    assert code_of(tmp_path / "c.npz", "volume") == "E_BOMB"
    data = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(data[: len(data) // 2])
    assert code_of(tmp_path / "c.npz", "volume") == "E_TRUNCATED"


def test_kept_arrays_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_arrays, "MAX_UNPACKED_BYTES", 3000)
    for name in "abc":
        np.savez(tmp_path / f"{name}.npz", x=body((12, 10, 10), "uint8"))
        open_volume(tmp_path / f"{name}.npz", "x").close()
    assert sum(array.nbytes for array in packed_arrays._kept.values()) <= 3000


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_volumes(tmp_path: Path, version: int) -> None:
    import zarr

    array = body((2, 6, 8, 10), "uint16")
    group = zarr.create_group(tmp_path / "a.ome.zarr", zarr_format=version)
    for level, cells in enumerate((array, array[:, ::2, ::2, ::2])):
        group.create_array(str(level), data=cells, chunks=(1, 3, 4, 5))
    meta = {
        "axes": [{"name": "c", "type": "channel"}]
        + [{"name": n, "type": "space", "unit": "millimeter"} for n in "zyx"],
        "datasets": [
            {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, 3 * k, 2 * k, k]}]}
            for i, k in enumerate((1, 2))
        ],
    }
    group.attrs.update({"multiscales": [meta]} if version == 2 else {"ome": {"version": "0.5", "multiscales": [meta]}})
    with open_volume(tmp_path / "a.ome.zarr") as volume:
        assert (volume.reader, volume.channels, volume.dtype) == ("ome-zarr", 2, "uint16")
        assert [f.spacing for f in volume.frames] == [(3000, 2000, 1000), (6000, 4000, 2000)]
        np.testing.assert_array_equal(whole(volume), array)
        np.testing.assert_array_equal(
            volume.read(Box((1, 1, 1), (3, 4, 5)), 1), array[:, ::2, ::2, ::2][:, 1:3, 1:4, 1:5]
        )


def test_a_flat_store_is_no_volume(tmp_path: Path, data: Path) -> None:
    assert code_of(data / "ngff" / "mni152_axial.ome.zarr") == "E_NOT_A_VOLUME"
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert code_of(tmp_path / "x.zarr") == "E_NOT_A_VOLUME"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_many_threads_read_one_volume(nifti: Nifti, name: str) -> None:
    array = body((40, 30, 20))
    volume = open_volume(nifti(array, name=name))
    wrong = []

    def look(seed: int) -> None:
        for _ in range(50):
            start = np.random.default_rng(seed).integers(0, 10, 3)
            box = Box(tuple(start), tuple(start + 10))
            if not np.array_equal(volume.read(box)[0], array.T[box.slices]):
                wrong.append(box)

    threads = [threading.Thread(target=look, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_reading_outside_and_after_the_end(nifti: Nifti) -> None:
    volume = open_volume(nifti(body()))
    with pytest.raises(ValueError, match="inside its frame"):
        volume.read(Box((0, 0, 0), (8, 8, 8)))
    assert volume.read(Box((1, 1, 1), (1, 1, 1))).shape == (1, 0, 0, 0)
    volume.close()
    with pytest.raises(ValueError, match="closed"):
        volume.read(Box((0, 0, 0), (1, 1, 1)))


def test_nothing_private_is_kept(nifti: Nifti) -> None:
    def change(header: Any) -> None:
        header["descrip"], header["db_name"], header["aux_file"] = b"Secret Person", b"Secret", b"Secret"

    with open_volume(nifti(body(), change=change)) as volume:
        said = repr((volume.notes, volume.affine, volume.frames, vars(volume)))
        assert "Secret" not in said


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<u2', 'fortran_order': False, 'shape': (1099511627776, 5, 6, 7), }",
        b"{'descr': '<u2', 'fortran_order': False, 'shape': (5, 6, 7",
        b"{'descr': '<u2', 'fortran_order': False, 'shape': ((((((",
        b"{'descr': 7, 'fortran_order': False, 'shape': (5, 6, 7), }",
        b"{'descr': '<u2', 'fortran_order': False, 'shape': (5, -6, 7), }",
        b"[" * 2000,
    ],
    ids=["endless", "open", "open brackets", "no type", "negative", "deep"],
)
def test_what_an_array_of_an_npz_claims_is_held_against_its_bytes(tmp_path: Path, header: bytes) -> None:
    head = header.ljust(118) + b"\n"
    member = b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head + bytes(420)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("train_images.npy", member)
    with pytest.raises(SlideError, match=r"a\.npz"):
        list(npz_reader.members(tmp_path / "a.npz"))
    with pytest.raises(SlideError, match=r"a\.npz"):
        open_volume(tmp_path / "a.npz")
