"""OME-Zarr that others wrote: 0.4 and 0.5, real and hostile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tile_engine.errors import SlideError, TileError
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.file_marks import fingerprint
from tile_engine.stores.slides.reader import open_slide

Image = np.ndarray[Any, Any]


def axes_of(names: str, unit: str = "micrometer") -> list[dict[str, str]]:
    kinds = {"t": {"type": "time"}, "c": {"type": "channel"}}
    return [{"name": n, **kinds.get(n, {"type": "space", "unit": unit})} for n in names]


def store(path: Path, pixels: Image, names: str = "cyx", scale: float = 0.5, **attributes: Any) -> Path:
    """A store with one level, by zarr-python, with metadata by hand."""
    group = zarr.create_group(path, zarr_format=attributes.pop("zarr_format", 2))
    array = group.create_array(
        "0", shape=pixels.shape, dtype=pixels.dtype, chunks=tuple(min(n, 64) for n in pixels.shape)
    )
    array[...] = pixels
    scales = [scale if n in "zyx" else 1.0 for n in names]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scales}]}
    axes = axes_of(names, attributes.pop("unit", "micrometer"))
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [dataset]}]
    group.attrs.update(attributes)
    return path


@pytest.fixture
def pixels() -> Image:
    return np.random.default_rng(0).integers(0, 255, (3, 150, 203), np.uint8)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_store_by_ome_zarr_py_reads_back(tmp_path: Path, pixels: Image, version: str) -> None:
    ome_zarr_format = pytest.importorskip("ome_zarr.format")
    writer = pytest.importorskip("ome_zarr.writer")
    kind = ome_zarr_format.FormatV04() if version == "0.4" else ome_zarr_format.FormatV05()
    path = tmp_path / "a.ome.zarr"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    levels = [pixels[..., :202], pixels[:, ::2, :202:2]]  # exact halves: ome-zarr-py divides shapes to scale a level
    writer.write_multiscale(levels, group, fmt=kind, axes=axes_of("cyx"), scale={"c": 1.0, "y": 0.25, "x": 0.25})
    with open_slide(path) as slide:
        assert (slide.reader, slide.spacing_source, slide.channels, slide.background) == ("ome-zarr", "file", 3, 255)
        assert [f.spacing for f in slide.frames] == [(0.25, 0.25), (0.5, 0.5)]
        for level, expected in enumerate(levels):
            np.testing.assert_array_equal(slide.read(slide.frames[level].box, level), expected)
            box = Box((11, 5), (60, 71))
            np.testing.assert_array_equal(slide.read(box, level), expected[:, 11:60, 5:71])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_store_by_ngff_zarr_reads_back(tmp_path: Path, pixels: Image, version: str) -> None:
    ngff_zarr = pytest.importorskip("ngff_zarr")
    scale, unit = {"c": 1.0, "y": 0.0005, "x": 0.0005}, {"y": "millimeter", "x": "millimeter"}
    image = ngff_zarr.to_ngff_image(pixels, dims=("c", "y", "x"), scale=scale, axes_units=unit)
    path = tmp_path / "a.ome.zarr"
    ngff_zarr.to_ngff_zarr(str(path), ngff_zarr.to_multiscales(image, scale_factors=[]), version=version)
    with open_slide(path) as slide:
        assert slide.frames[0].spacing == pytest.approx((0.5, 0.5))
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)


def test_axes_of_length_one_are_dropped_and_the_first_time_is_read(tmp_path: Path, pixels: Image) -> None:
    full = np.stack([pixels, pixels[::-1]])[:, :, None]
    with open_slide(store(tmp_path / "a.zarr", full, "tczyx")) as slide:
        assert "2 time points" in slide.notes[0]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)


def test_channels_last_come_out_first(tmp_path: Path, pixels: Image) -> None:
    with open_slide(store(tmp_path / "a.zarr", pixels.transpose(1, 2, 0), "yxc")) as slide:
        np.testing.assert_array_equal(slide.read(Box((3, 4), (50, 90))), pixels[:, 3:50, 4:90])


def test_a_plain_plane_has_one_channel(tmp_path: Path, pixels: Image) -> None:
    with open_slide(store(tmp_path / "a.zarr", pixels[0].astype(np.uint16), "yx")) as slide:
        assert (slide.channels, slide.dtype, slide.background) == (1, "uint16", 0)


def test_a_given_spacing_goes_before_the_stores_own(tmp_path: Path, pixels: Image) -> None:
    with open_slide(store(tmp_path / "a.zarr", pixels), 0.25) as slide:
        assert slide.frames[0].spacing == (0.25, 0.25)


def levels_of(path: Path, pixels: Image, *strides: int, scales: tuple[float | None, ...], **image: Any) -> Path:
    """A store of every n-th pixel of a picture, with the scale that is stated for each level; None states nothing."""
    group = zarr.create_group(path, zarr_format=2)
    datasets = []
    for i, (stride, scale) in enumerate(zip(strides, scales, strict=True)):
        level = pixels[:, ::stride, ::stride]
        group.create_array(str(i), shape=level.shape, dtype=level.dtype, chunks=(3, 64, 64))[...] = level
        stated = [{"type": "scale", "scale": [1.0, scale, scale]}] if scale else []
        datasets.append({"path": str(i)} | ({"coordinateTransformations": stated} if stated else {}))
    group.attrs["multiscales"] = [{"axes": axes_of("cyx"), "datasets": datasets} | image]
    return path


def test_without_transformations_the_shapes_say_how_much_coarser_a_level_is(tmp_path: Path, picture: Any) -> None:
    pixels = picture(300, 401).transpose(2, 0, 1)
    old = {"axes": ["c", "y", "x"], "version": "0.3"}
    path = levels_of(tmp_path / "a.zarr", pixels, 1, 2, 4, scales=(None, None, None), **old)
    with open_slide(path, 0.5) as slide:
        assert [f.spacing for f in slide.frames] == [(0.5, 0.5), (1.0, 1.0), (2.0, 2.0)]


def test_a_level_whose_stated_scale_does_not_fit_its_size_is_left_out(tmp_path: Path, picture: Any) -> None:
    pixels = picture(300, 401).transpose(2, 0, 1)
    with open_slide(levels_of(tmp_path / "a.zarr", pixels, 1, 2, 2, 4, scales=(0.5, 1.0, 1.5, 2.0))) as slide:
        assert [f.spacing[0] for f in slide.frames] == [0.5, 1.0, 2.0]
        assert "is 225 um long by its stated scale, and the finest level 150 um" in slide.notes[-1]
        np.testing.assert_array_equal(slide.read(slide.frames[2].box, 2), pixels[:, ::4, ::4])


def test_levels_may_be_listed_in_any_order(tmp_path: Path, picture: Any) -> None:
    pixels = picture(300, 401).transpose(2, 0, 1)
    with open_slide(levels_of(tmp_path / "a.zarr", pixels, 4, 1, 2, scales=(2.0, 0.5, 1.0))) as slide:
        assert [(f.spacing[0], f.origin) for f in slide.frames][:1] == [(0.5, (0.0, 0.0))]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)
        np.testing.assert_array_equal(slide.read(slide.frames[1].box, 1), pixels[:, ::2, ::2])


def test_the_layout_of_bioformats2raw_is_its_first_image_or_the_one_that_is_named(
    tmp_path: Path, pixels: Image
) -> None:
    from tile_engine.stores.slides.cohort import find_slides

    group = zarr.create_group(tmp_path / "slide.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    zarr.create_group(group.store_path.store.root / "OME", zarr_format=2, attributes={"series": ["0", "1"]})
    store(tmp_path / "slide.zarr" / "0", pixels)
    store(tmp_path / "slide.zarr" / "1", pixels[:, ::-1])
    with open_slide(tmp_path / "slide.zarr") as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)
        assert "2 images" in slide.notes[0]
    with open_slide(tmp_path / "slide.zarr", part="1") as slide:
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels[:, ::-1])
    with pytest.raises(SlideError, match="There are: 0, 1") as failure:
        open_slide(tmp_path / "slide.zarr", part="2")
    assert failure.value.code == "E_NO_PART"
    assert [entry.name for entry in find_slides(str(tmp_path)).entries] == ["slide.zarr"]


@pytest.mark.parametrize("unit", ["um", "µm", "μm", "micron", "micrometers"])
def test_usual_names_of_a_micrometre_are_read(tmp_path: Path, pixels: Image, unit: str) -> None:
    with open_slide(store(tmp_path / "a.zarr", pixels, unit=unit)) as slide:
        assert slide.frames[0].spacing == (0.5, 0.5)


@pytest.mark.parametrize("unit", ["pixel", "furlong"])
def test_where_the_unit_is_no_length_the_given_spacing_decides(tmp_path: Path, pixels: Image, unit: str) -> None:
    path = store(tmp_path / "a.zarr", pixels, unit=unit)
    with pytest.raises(SlideError, match=f"in the unit '{unit}'") as failure:
        open_slide(path)
    assert failure.value.code == "E_NO_MPP" and "validator" not in failure.value.message
    with open_slide(path, 0.25) as slide:
        assert slide.frames[0].spacing == (0.25, 0.25)


def test_chunks_that_were_never_written_are_absent(tmp_path: Path, pixels: Image) -> None:
    path = store(tmp_path / "a.zarr", pixels)
    array = zarr.open_array(path / "0", mode="r")
    (path / "0" / array.metadata.encode_chunk_key((0, 0, 1))).unlink()
    with open_slide(path) as slide:
        assert slide.absent(slide.frames[0].box) == [Box((0, 64), (64, 128))]
        assert slide.absent(Box((64, 0), (150, 203))) == []


@pytest.mark.parametrize("place", ["start", "end"])
def test_a_chunk_that_a_shard_lacks_is_absent(tmp_path: Path, place: str) -> None:
    """As where two processes wrote to one shard: the last one's chunks are left."""
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ShardingCodecIndexLocation

    pixels = np.random.default_rng(0).integers(1, 255, (3, 150, 203), np.uint8)
    pixels[:, 32:64, 64:96] = pixels[:, 128:, 192:] = 0  # the fill value: not written
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    codec = ShardingCodec(
        chunk_shape=(3, 32, 32),
        codecs=[BytesCodec()],
        index_codecs=[BytesCodec(), Crc32cCodec()],
        index_location=ShardingCodecIndexLocation(place),
    )
    array = group.create_array(
        "0", shape=pixels.shape, dtype="u1", chunks=(3, 64, 64), serializer=codec, compressors=None, fill_value=0
    )
    array[...] = pixels
    scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
    content = [{"axes": axes_of("cyx"), "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": content}
    with open_slide(tmp_path / "a.zarr") as slide:
        assert slide.absent(slide.frames[0].box) == [Box((32, 64), (64, 96)), Box((128, 192), (150, 203))]
        np.testing.assert_array_equal(slide.read(slide.frames[0].box), pixels)


def test_a_chunk_counts_as_missing_by_what_its_channels_mean(tmp_path: Path, pixels: Image) -> None:
    """Of RGB one channel is enough; a marker may be nowhere in a chunk."""
    for name, values, expected in (("rgb", pixels, 1), ("markers", pixels.astype(np.uint16), 0)):
        group = zarr.create_group(tmp_path / name, zarr_format=2)
        array = group.create_array("0", shape=values.shape, dtype=values.dtype, chunks=(1, 64, 64))
        array[...] = values
        scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        group.attrs["multiscales"] = [{"axes": axes_of("cyx"), "datasets": datasets}]
        (tmp_path / name / "0" / array.metadata.encode_chunk_key((1, 1, 1))).unlink()
        with open_slide(tmp_path / name) as slide:
            assert len(slide.absent(slide.frames[0].box)) == expected


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p, a: store(p, a, scale=0.001), "E_BAD_MPP"),
        (lambda p, a: store(p, a, unit="furlong"), "E_NO_MPP"),
        (lambda p, a: store(p, a, "zyx"), "E_IS_VOLUME"),
        (lambda p, a: store(p, a.astype(np.float32)), "E_UNSUPPORTED_PIXELS"),
        (lambda p, a: store(p, a, multiscales=[{"axes": axes_of("cyx"), "datasets": []}]), "E_NGFF"),
        (lambda p, a: store(p, a, multiscales=[{"datasets": [{"path": "../../etc"}]}]), "E_PATH"),
        (lambda p, a: store(p, a, multiscales=[{"datasets": [{"path": "7"}]}]), "E_MISSING_COMPANION"),
        (lambda p, a: store(p, a, multiscales=[{"datasets": [{"path": "0"}], "axes": axes_of("yx")}]), "E_NGFF"),
    ],
)
def test_stores_that_make_no_sense_are_refused(tmp_path: Path, pixels: Image, make: Any, code: str) -> None:
    with pytest.raises(SlideError) as failure:
        open_slide(make(tmp_path / "a.zarr", pixels))
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"filters": [{"id": "pickle"}]}, "E_UNSUPPORTED_PIXELS"),
        ({"dtype": "|O"}, "E_UNSUPPORTED_PIXELS"),
        ({"chunks": [3, 100_000, 100_000]}, "E_BOMB"),
        ({"shape": [3, 2**40, 2**40]}, "E_MALFORMED"),
        ({"shape": [3, -1, 10]}, "E_MALFORMED"),
    ],
)
def test_hostile_array_metadata_is_refused_before_it_is_used(
    tmp_path: Path, pixels: Image, change: dict[str, Any], code: str
) -> None:
    path = store(tmp_path / "a.zarr", pixels)
    meta = json.loads((path / "0" / ".zarray").read_text())
    (path / "0" / ".zarray").write_text(json.dumps(meta | change))
    with pytest.raises(SlideError) as failure:
        open_slide(path)
    assert failure.value.code == code


def test_a_damaged_chunk_is_a_tile_error(tmp_path: Path, pixels: Image) -> None:
    path = store(tmp_path / "a.zarr", pixels)
    chunk = next(p for p in sorted((path / "0").rglob("*")) if p.is_file() and not p.name.startswith("."))
    chunk.write_bytes(b"nonsense")
    with open_slide(path) as slide, pytest.raises(TileError):
        slide.read(slide.frames[0].box)


def test_what_lies_in_the_data_folder(data: Path) -> None:
    codes = {}
    for name in (
        "mni152_axial.ome.zarr",
        "wsic-CMU-1-Small-Region-JPEG.zarr",
        "ome-zarr-py-data/v1",
        "ome-zarr-py-data/v2",
    ):
        with pytest.raises(SlideError) as failure:
            open_slide(data / "ngff" / name)
        codes[name] = failure.value.code
    assert list(codes.values()) == ["E_UNSUPPORTED_PIXELS", "E_NOT_A_SLIDE", "E_NO_MPP", "E_NO_MPP"]
    for name in ("v1", "v2"):
        with open_slide(data / "ngff" / "ome-zarr-py-data" / name, 0.5) as slide:
            assert slide.read(slide.frames[0].box).shape == (slide.channels, *slide.frames[0].shape)


def test_a_chunk_that_is_a_link_to_outside_or_a_pipe_is_refused_and_never_read(tmp_path: Path, pixels: Image) -> None:
    path = store(tmp_path / "a.zarr", pixels)
    chunk = path / "0" / "0.1.1"
    chunk.rename(tmp_path / "outside")
    for plant in (lambda place: place.symlink_to(tmp_path / "outside"), os.mkfifo):
        plant(chunk)
        with pytest.raises(SlideError, match=r"0/0\.1\.1 in it is") as caught:
            open_slide(path)
        assert caught.value.code == "E_PATH"
        chunk.unlink()


def test_pixels_that_change_are_noticed_and_a_large_store_is_not_looked_at_for_every_unit(
    tmp_path: Path, pixels: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tile_engine.engine.runtime import changes

    path = store(tmp_path / "a.zarr", pixels)
    before = changes.recent_fingerprint(path, "")
    chunk = path / "0" / "0.1.1"
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(chunk, (2, 2))
    assert fingerprint(path) != before
    monkeypatch.setattr(changes, "_recent", type(changes._recent)({str(path): (before, float("inf"))}))
    assert changes.recent_fingerprint(path, before) == before, "it is not looked at again yet"
    assert changes.recent_fingerprint(path, fingerprint(path)) == fingerprint(path), (
        "a run that began since sees it as it is"
    )
    changes._recent[str(path)] = (before, 0.0)
    assert changes.recent_fingerprint(path, before) == fingerprint(path)
