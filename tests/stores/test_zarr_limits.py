"""Zarr: what metadata claim is bounded before memory is touched, and what a chunk unpacks to is bounded by its metadata."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import resource
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import zarr
from numcodecs import BZ2, LZ4, LZMA, Blosc, Delta, FixedScaleOffset, GZip, Shuffle, Zlib, Zstd
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from tile_engine.errors import SlideError, TileError
from tile_engine.stores import bounded_zarr
from tile_engine.stores.bounded_codecs import OversizeError, unpacked
from tile_engine.stores.bounded_zarr import open_bounded, read_box
from tile_engine.stores.frame import Box
from tile_engine.stores.slides.reader import open_slide
from tile_engine.stores.slides.zarr_levels import open_levels
from tile_engine.stores.volumes.reader import open_volume
from tile_engine.stores.zarr_limits import LimitError, check_limits

ZEROS = bytes(2**24)


def stated(
    path: Path, shape: list[Any], chunk: list[Any], shard: list[Any] | None = None, dtype: str = "uint8"
) -> Path:
    """A store of one level whose metadata claim this, with one chunk of zeros that fits none of it."""
    codecs: list[dict[str, Any]] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    if shard:
        index = [*codecs, {"name": "crc32c"}]
        inner = {"chunk_shape": chunk, "codecs": codecs, "index_codecs": index, "index_location": "end"}
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"[-len(shape) :]]
    image = {"axes": axes, "datasets": [{"path": "0"}]}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "multiscales": [image]}}}
    array = {
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype, "fill_value": 0, "codecs": codecs,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard or chunk}}, "attributes": {},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    }  # fmt: skip
    (path / "0" / "c").mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps(group))
    (path / "0" / "zarr.json").write_text(json.dumps(array))
    (path / "0" / "c" / "0").write_bytes(bytes(64))
    return path


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (([2**40, 64], [64, 64]), "E_MALFORMED"),
        (([64, 64], [2**40, 64]), "E_MALFORMED"),
        (([64, 0], [64, 64]), "E_MALFORMED"),
        (([64, 64], [64]), "E_MALFORMED"),
        (([64, "64"], [64, 64]), "E_MALFORMED"),
        (([64, True], [64, 64]), "E_MALFORMED"),
        (([2**20, 2**20], [2**15, 2**15]), "E_BOMB"),
        (([2**20, 2**20], [2**14, 2**14], None, "float64"), "E_BOMB"),
        (([2**20, 2**20], [8, 8], [2**14, 2**14]), "E_BOMB"),
        (([4096, 4096], [1, 1]), "E_CHUNKS"),
        (([4096, 4096], [1, 1], [512, 512]), "E_CHUNKS"),
        (([2**20, 2**20], [128, 128]), "E_CHUNKS"),
    ],
)
def test_claims_beyond_the_limits_are_refused_at_once_and_by_name(tmp_path: Path, claims: Any, code: str) -> None:
    store = stated(tmp_path / "bomb.ome.zarr", *claims)
    began = time.monotonic()
    with pytest.raises(SlideError, match="bomb") as caught:
        open_levels(store, {"uint8", "float64"}, "any")
    assert caught.value.code == code and time.monotonic() - began < 5
    if "float64" not in claims:
        with pytest.raises(SlideError) as caught:
            open_slide(store, 0.5)
        assert caught.value.code == code


def test_chunks_are_counted_along_the_axes_that_are_read(tmp_path: Path) -> None:
    """A time series of 72,000 planes, of which a coarse level has one small chunk each: one point in time is read."""
    meta = {"shape": [200, 3, 120, 16, 16], "chunks": [1, 1, 1, 16, 16], "dtype": "|u1"}
    with pytest.raises(LimitError, match="72000 chunks") as caught:
        check_limits(meta)
    assert caught.value.code == "E_CHUNKS"
    check_limits(meta, [0])
    store, axes = tmp_path / "a.ome.zarr", "tczyx"
    for name, side in (("0", 32), ("1", 16)):
        level = zarr.create_array(
            store / name, shape=(200, 3, 120, side, side), chunks=(1, 1, 1, side, side), dtype="u1", zarr_format=2
        )
        level[3, :, 5:7] = 9
    kinds = {"t": "time", "c": "channel"}
    datasets = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, step, step]}]}
        for name, step in (("0", 1), ("1", 2))
    ]
    image = {"version": "0.4", "axes": [{"name": a, "type": kinds.get(a, "space")} for a in axes], "datasets": datasets}
    (store / ".zgroup").write_text(json.dumps({"zarr_format": 2}))
    (store / ".zattrs").write_text(json.dumps({"multiscales": [image]}))
    with open_volume(store, "t=3") as volume:
        assert len(volume.frames) == 2 and (volume.read(Box((5, 0, 0), (7, 16, 16)), 1) == 9).all()


def test_a_store_without_any_chunk_is_rejected_when_it_is_opened(tmp_path: Path) -> None:
    for name, shape in (("slide", [2**20, 2**20]), ("volume", [64, 64, 64])):
        store = stated(tmp_path / name, shape, [4096, 4096] if len(shape) == 2 else [64, 64, 64])
        (store / "0" / "c" / "0").unlink()
        with pytest.raises(SlideError, match="no chunk") as caught:
            open_slide(store, 0.5) if name == "slide" else open_volume(store)
        assert caught.value.code == "E_TRUNCATED"


def test_a_volume_of_huge_planes_is_opened_part_by_part(tmp_path: Path) -> None:
    store = stated(tmp_path / "a", [2, 2**15, 2**15], [1, 4096, 4096])
    middle = store / "0" / "c" / "1" / "4" / "4"
    middle.parent.mkdir(parents=True)
    (store / "0" / "c" / "0").unlink()
    middle.write_bytes(np.arange(2**24, dtype=np.uint32).astype(np.uint8).tobytes())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_volume(store) as volume:
        assert volume.frames[0].shape == (2, 2**15, 2**15)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # of the plane's 2**20 kB
    with pytest.raises(SlideError) as caught:
        open_volume(stated(tmp_path / "b", [2, 2**17, 2**17], [1, 4096, 4096]))
    assert caught.value.code == "E_MALFORMED"


def blosc_header(nbytes: int) -> bytes:
    return struct.pack("<BBBBIII", 2, 1, 0x21, 1, nbytes, nbytes, 24) + bytes(8)


BOMBS: dict[str, Any] = {
    "gzip": lambda: gzip.compress(ZEROS),
    "zlib": lambda: zlib.compress(ZEROS),
    "numcodecs.zlib": lambda: zlib.compress(ZEROS),
    "bz2": lambda: bz2.compress(ZEROS),
    "lzma": lambda: lzma.compress(ZEROS, preset=0),
    "zstd": lambda: imagecodecs.zstd_encode(ZEROS),
    "blosc": lambda: blosc_header(2**30),
    "lz4": lambda: (2**30).to_bytes(4, "little") + bytes(20),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_codec_unpacks_more_than_the_chunk_has(name: str) -> None:
    with pytest.raises(OversizeError, match="bytes"):
        unpacked(name, memoryview(BOMBS[name]()), 4096)


def test_members_of_a_stream_count_together() -> None:
    both = gzip.compress(bytes(4000)) + gzip.compress(b"x" * 50) + bytes(8)
    assert unpacked("gzip", both, 4096) == bytes(4000) + b"x" * 50
    with pytest.raises(OversizeError):
        unpacked("gzip", gzip.compress(bytes(4000)) * 2, 4096)
    with pytest.raises(EOFError):
        unpacked("gzip", both[:20], 4096)


@pytest.mark.parametrize(
    ("name", "packed"), [("gzip", gzip.compress(b"", mtime=0)), ("bz2", bz2.compress(b""))], ids=["gzip", "bz2"]
)
def test_a_stream_of_endless_empty_members_ends(name: str, packed: bytes) -> None:
    assert unpacked(name, packed * 1000, 4096) == b""
    began = time.monotonic()
    with pytest.raises(ValueError, match="more than 1000 members"):
        unpacked(name, packed * 200_000, 4096)
    assert time.monotonic() - began < 10


COMPRESSORS = (Zlib(1), GZip(1), BZ2(1), LZMA(preset=0), Zstd(1), LZ4(), Blosc("lz4"), Blosc("zstd", shuffle=2))
FILTERS = ([], [Shuffle(2)], [Delta("<u2")], [FixedScaleOffset(0, 1, "<u2", "<f8")])


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=lambda one: one.codec_id)
def test_bounded_codecs_of_v2_read_what_zarr_reads(tmp_path: Path, compressor: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (3, 50, 70), np.uint16)
    for number, filters in enumerate(FILTERS):
        folder = tmp_path / str(number)
        array = zarr.create_array(
            folder,
            shape=pixels.shape,
            dtype="u2",
            chunks=(3, 16, 32),
            zarr_format=2,
            compressors=compressor,
            filters=filters,
        )
        array[...] = pixels
        np.testing.assert_array_equal(
            read_box(open_bounded(folder, 2), (slice(0, 3), slice(5, 40), slice(0, 70))), pixels[:, 5:40]
        )


@pytest.mark.parametrize(
    "codec", [GzipCodec(level=1), ZstdCodec(level=1), BloscCodec(cname="lz4")], ids=lambda one: type(one).__name__
)
@pytest.mark.parametrize("sharded", [False, True])
def test_bounded_codecs_of_v3_read_what_zarr_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: Any, sharded: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (3, 50, 70), np.uint16)
    more = {"shards": (3, 32, 64)} if sharded else {}
    zarr.create_array(tmp_path, shape=pixels.shape, dtype="u2", chunks=(3, 16, 32), compressors=codec, **more)[...] = (
        pixels
    )
    array = open_bounded(tmp_path, 3)
    for limit in (bounded_zarr.LARGE_CHUNK_BYTES, 1):  # chunks at once, and one by one
        monkeypatch.setattr(bounded_zarr, "LARGE_CHUNK_BYTES", limit)
        np.testing.assert_array_equal(read_box(array, (slice(0, 3), slice(0, 50), slice(0, 70))), pixels)
        np.testing.assert_array_equal(read_box(array, (1, slice(5, 40), slice(33, 34))), pixels[1, 5:40, 33:34])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_unpacks_to_more_is_a_bad_tile_and_the_others_are_read(tmp_path: Path, zarr_format: int) -> None:
    store = stated(tmp_path / "a", [64, 64], [32, 32])
    for part in (store / "0").rglob("*"):
        if part.is_file():
            part.unlink()
    compressor = Zlib(1) if zarr_format == 2 else GzipCodec(level=1)
    array = zarr.create_array(
        store / "0", shape=(64, 64), dtype="u1", chunks=(32, 32), zarr_format=zarr_format, compressors=compressor,
        overwrite=True,
    )  # fmt: skip
    array[...] = 7
    bomb = store / "0" / ("0.0" if zarr_format == 2 else "c/0/0")
    bomb.write_bytes(zlib.compress(ZEROS) if zarr_format == 2 else gzip.compress(ZEROS))
    with open_slide(store, 0.5) as slide:
        with pytest.raises(TileError, match="more than"):
            slide.read(Box((0, 0), (32, 32)))
        assert (slide.read(Box((32, 32), (64, 64))) == 7).all()


def test_chunks_are_looked_for_only_where_a_box_is_asked_for(tmp_path: Path) -> None:
    store = stated(tmp_path / "a", [2**20, 2**20], [2048, 2048])
    (store / "0" / "c" / "0").unlink()
    (store / "0" / "c" / "9").mkdir()
    (store / "0" / "c" / "9" / "9").write_bytes(bytes(64))
    began = time.monotonic()
    with open_slide(store, 0.5) as slide:
        assert slide.absent(Box((0, 0), (4096, 2048))) == [Box((0, 0), (4096, 2048))]
    assert time.monotonic() - began < 5  # 262,144 chunks


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.update(datasets=5), lambda image: image.update(datasets=[[]]), lambda image: image.update(axes=7),
        lambda image: image.update(axes=[{"name": "y"}, {"name": None}]), lambda image: image.update(axes=["y", "y"]),
        lambda image: image["axes"][0].update(type="time"),
        lambda image: image["datasets"][0].update(path="\ud800"), lambda image: image["datasets"][0].update(path="\0"),
        lambda image: image.update(coordinateTransformations=[{"type": "scale", "scale": [0, "x"]}]),
        lambda image: image.update(coordinateTransformations=[{"type": "scale", "scale": [0, 0]}]),
        lambda image: image.update(coordinateTransformations=[{"type": "scale", "scale": [1e308, float("nan")]}]),
    ],
)  # fmt: skip
def test_whatever_stands_in_the_metadata_is_an_error_that_names_the_store(tmp_path: Path, change: Any) -> None:
    store = stated(tmp_path / "odd.zarr", [64, 64], [32, 32])
    group = json.loads((store / "zarr.json").read_text())
    change(group["attributes"]["ome"]["multiscales"][0])
    (store / "zarr.json").write_text(json.dumps(group))
    with pytest.raises(SlideError, match="odd"):
        open_slide(store, 0.5)
    with pytest.raises(SlideError, match="odd"):
        open_volume(store)
