"""Shards and arrays: zarr-python and tensorstore are the oracles; damage is never silent."""

import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import CorruptError
from tile_engine.stores.array import ArraySpec, StoredArray
from tile_engine.stores.frame import Box
from tile_engine.stores.shard import Codec, ShardEncoder, encode_shard


def filled(path, spec, seed=0):
    values = np.random.default_rng(seed).integers(0, 200, spec.shape).astype(spec.dtype)
    array = StoredArray.create(path, spec)
    for box in spec.shards:
        array.write(box, values[box.slices])
    return array, values


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
    chunk=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    grid=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dtype=st.sampled_from(["uint8", "uint16", "float16", "float32", "int32"]),
    codec=st.sampled_from(["zstd", "lz4", "none"]),
)
def test_other_readers_and_our_own_read_what_was_written(tmp_path_factory, shape, chunk, grid, dtype, codec):
    path = tmp_path_factory.mktemp("a")
    shard = (shape[0], chunk[0] * grid[0], chunk[1] * grid[1])
    spec = ArraySpec(shape, dtype, shard, (shape[0], *chunk), ("c", "y", "x"), codec=Codec(codec))
    array, values = filled(path, spec)
    assert np.array_equal(StoredArray.open(path).read_all(), values)
    assert np.array_equal(zarr.open_array(path, mode="r")[:], values)
    store = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
    assert np.array_equal(store.read().result(), values)
    box = Box(tuple(n // 3 for n in shape), tuple(-(-2 * n // 3) for n in shape))
    assert np.array_equal(array.read(box), values[box.slices])


def test_the_same_values_give_the_same_bytes(tmp_path):
    spec = ArraySpec((3, 50, 50), "uint8", (3, 32, 32), (3, 16, 16), ("c", "y", "x"))
    for name in "ab":
        filled(tmp_path / name, spec)
    files = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*") if p.is_file()) for n in "ab"]
    assert files[0] == files[1]
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files[0])


def test_masked_chunks_are_absent_and_read_as_fill(tmp_path):
    spec = ArraySpec((8, 8), "uint8", (8, 8), (4, 4), ("y", "x"), fill=255)
    array = StoredArray.create(tmp_path, spec)
    mask = np.zeros((8, 8), bool)
    mask[:4, :4] = True
    array.write(Box((0, 0), (8, 8)), np.ma.MaskedArray(np.full((8, 8), 7, np.uint8), mask))
    expected = np.where(mask, 255, 7)
    assert np.array_equal(array.read_all(), expected)
    assert np.array_equal(zarr.open_array(tmp_path, mode="r")[:], expected)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove"])
def test_a_damaged_shard_is_named(tmp_path, harm):
    spec = ArraySpec((1, 64, 64), "uint8", (1, 32, 32), (1, 16, 16), ("c", "y", "x"))
    array, _ = filled(tmp_path, spec)
    path = array.shard_path((0, 1, 0))
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[10] ^= 1
        path.write_bytes(data)
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(CorruptError, match=r"c/0/1/0"):
        array.read_all()


def test_a_write_that_is_not_one_whole_shard_is_refused(tmp_path):
    spec = ArraySpec((64, 64), "uint8", (32, 32), (16, 16), ("y", "x"))
    array = StoredArray.create(tmp_path, spec)
    with pytest.raises(ValueError, match="one whole shard"):
        array.write(Box((0, 0), (16, 32)), np.zeros((16, 32), np.uint8))


def test_chunks_put_in_any_order_make_the_shard_of_the_whole_block() -> None:
    block = np.random.default_rng(1).integers(0, 9, (2, 7, 10)).astype("uint16")
    block[:, 4:, :4] = 5  # clipped, and of one value
    encoder = ShardEncoder((2, 4, 4), Codec("lz4"), (2, 8, 12), block.dtype)
    encoder.put_value((0, 1, 0), block[0, 4, 0])
    for y, x in ((1, 2), (0, 1), (0, 0), (1, 1), (0, 2)):
        encoder.put((0, y, x), block[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4])
    whole = encode_shard(block, (2, 4, 4), Codec("lz4"), shard=(2, 8, 12))
    assert b"".join(encoder.parts()) == b"".join(whole)


def test_an_encoder_writes_the_dtype_of_its_array_and_no_shard_that_lacks_a_chunk(tmp_path):
    spec = ArraySpec((1, 8, 10), "uint8", (1, 8, 12), (1, 4, 4), ("c", "y", "x"))
    array, box = StoredArray.create(tmp_path, spec), Box((0, 0, 0), (1, 8, 10))
    encoder, values = array.encoder(), np.arange(80, dtype=np.int64).reshape(1, 8, 10)
    values[:, :4, :4] = 3  # of one value
    places = [(0, y, x) for y in range(2) for x in range(3)]
    for _, y, x in places[:-1]:
        encoder.put((0, y, x), values[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4])
    with pytest.raises(ValueError, match=r"1 chunks of .* were not put, the first at .0, 1, 2."):
        array.write_encoded(box, encoder)
    assert not array.shard_path((0, 0, 0)).exists()
    encoder.put_value((0, 1, 2), np.int64(7))
    array.write_encoded(box, encoder)
    values[:, 4:, 8:] = 7
    np.testing.assert_array_equal(array.read_all(), values)
