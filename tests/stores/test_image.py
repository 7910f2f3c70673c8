"""Stored images: what is written comes back at every level; half an image is never taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import CorruptError
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import (
    ImageSpec,
    StoredImage,
    StoredLayer,
    attributes_of,
    begin_groups,
    image_label,
    labels_listed,
    list_labels,
    pyramid,
)
from tile_engine.stores.shard import Codec


def written(path: Path, spec: ImageSpec) -> tuple[StoredImage, list[np.ndarray]]:
    image = StoredImage.create(path, spec)
    draw = np.random.default_rng(0)
    levels = []
    for level, frame in enumerate(spec.frames):
        lead = () if spec.channels is None else (spec.channels,)
        values = draw.integers(0, 200, (*lead, *frame.shape)).astype(spec.dtype)
        for box in frame.box.cut(image.shard(level)):
            image.write(level, box, values[(..., *box.slices)])
        levels.append(values)
    return image, levels


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    channels=st.sampled_from([None, 1, 3]),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    codec=st.sampled_from(["zstd", "lz4", "none"]),
    origin=st.integers(-1000, 1000),
)
def test_an_image_comes_back_with_its_frames_and_every_box_of_every_level(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    channels: int | None,
    dtype: str,
    codec: str,
    origin: int,
) -> None:
    path = tmp_path_factory.mktemp("image") / "a.ome.zarr"
    frames = pyramid(Frame(("y", "x"), shape, (0.25, 0.5), (origin / 8, 0.0)), longest=20)
    spec = ImageSpec(frames, channels, dtype, (32, 32), (8, 8), codec=Codec(codec))  # type: ignore[arg-type]
    image, levels = written(path, spec)
    image.finish(name="a")
    found = StoredImage.open(path)
    assert found.frames == frames and found.dtype == dtype and found.channels == (channels or 1)
    for level, values in enumerate(levels):
        whole = found.read(frames[level].box, level)
        np.testing.assert_array_equal(whole, values if channels else values[None])
        part = Box(tuple(n // 3 for n in frames[level].shape), frames[level].shape)
        np.testing.assert_array_equal(found.read(part, level), whole[(slice(None), *part.slices)])


SPEC = ImageSpec(pyramid(Frame(("y", "x"), (40, 30), (1.0, 1.0)), longest=20), 3, "uint8", (32, 32), (16, 16))


def test_an_image_that_is_not_finished_cannot_be_opened_and_says_what_to_do(tmp_path: Path) -> None:
    written(tmp_path, SPEC)
    with pytest.raises(CorruptError, match=r"not finished.*same command"):
        StoredImage.open(tmp_path)
    assert "ome" not in attributes_of(tmp_path), "no reader takes it for an image"
    with pytest.raises(CorruptError, match="never written"):
        StoredImage.open(tmp_path / "nothing")


def test_ensuring_an_image_keeps_its_shards_and_begins_it_anew_only_where_it_is_another_one(tmp_path: Path) -> None:
    _, levels = written(tmp_path, SPEC)
    stamp = (tmp_path / "0" / "zarr.json").stat().st_mtime_ns
    again = StoredImage.ensure(tmp_path, SPEC)
    assert (tmp_path / "0" / "zarr.json").stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(again.read(SPEC.frames[0].box), levels[0])
    (tmp_path / "1" / "zarr.json").write_text("{")
    StoredImage.ensure(tmp_path, SPEC).finish(name="a")
    np.testing.assert_array_equal(StoredImage.open(tmp_path).read(SPEC.frames[1].box, 1), levels[1])


def test_finishing_names_its_metadata_files_as_they_lie_on_disk(tmp_path: Path) -> None:
    image, _ = written(tmp_path, SPEC)
    files = image.finish(name="a", notes={"pixels": "all"})
    assert [f.path.relative_to(tmp_path).as_posix() for f in files] == ["zarr.json", "0/zarr.json", "1/zarr.json"]
    assert all(f.path.stat().st_size == f.size for f in files)
    assert attributes_of(tmp_path)["tile_engine"] == {"pixels": "all", "reference": [1.0, 1.0], "status": "complete"}


def test_a_layer_takes_whole_shards_only(tmp_path: Path) -> None:
    image = StoredImage.create(tmp_path, SPEC)
    layer = StoredLayer(image)
    assert layer.chunks == (32, 32) and layer.frame == SPEC.frames[0]
    for box in (Box((0, 0), (16, 30)), Box((8, 0), (40, 30)), Box((0, 0), (40, 30))):
        with pytest.raises(ValueError, match="one whole shard"):
            layer.write(box, np.zeros((3, *box.shape), np.uint8))
    with pytest.raises(ValueError, match="do not fill"):
        layer.write(Box((32, 0), (40, 30)), np.zeros((3, 8, 29), np.uint8))
    layer.write(Box((32, 0), (40, 30)), np.ones((3, 8, 30), np.uint8))


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=3), st.integers(1, 300))
def test_a_pyramid_halves_until_it_is_small_enough(shape: list[int], longest: int) -> None:
    frames = pyramid(Frame(("z", "y", "x")[-len(shape) :], tuple(shape), (0.5,) * len(shape)), longest=longest)
    assert max(frames[-1].shape) <= longest and all(max(f.shape) > longest for f in frames[:-1])
    assert all(b.shape == tuple(-(-n // 2) for n in a.shape) for a, b in zip(frames, frames[1:], strict=False))  # noqa: RUF007


def test_a_pyramid_of_so_many_levels_has_so_many_even_where_a_side_is_one() -> None:
    assert [f.shape for f in pyramid(Frame(("y", "x"), (3, 1), (1.0, 1.0)), levels=4)] == [
        (3, 1),
        (2, 1),
        (1, 1),
        (1, 1),
    ]


def test_labels_are_listed_for_the_standard_and_for_vizarr_and_beginning_keeps_the_list(tmp_path: Path) -> None:
    assert labels_listed(tmp_path) == []
    begin_groups(tmp_path)
    list_labels(tmp_path, ["tissue", "clusters"])
    begin_groups(tmp_path)
    attributes = json.loads((tmp_path / "labels" / "zarr.json").read_text())["attributes"]
    assert attributes["ome"]["labels"] == attributes["labels"] == labels_listed(tmp_path) == ["clusters", "tissue"]


def test_an_image_label_names_its_colours_in_order_with_full_opacity() -> None:
    label = image_label({2: (1, 2, 3), 1: (4, 5, 6)}, [{"label-value": 1, "class": "a"}])
    assert label["colors"] == [{"label-value": 1, "rgba": [4, 5, 6, 255]}, {"label-value": 2, "rgba": [1, 2, 3, 255]}]
    assert label["source"] == {"image": "../../"}
