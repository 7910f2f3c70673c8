"""Labels of coarse cells on the grid of their image: every pixel has its cell's value, and the cells come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import CorruptError
from tile_engine.stores.cells import CELL_KEY, LabelCells, cell_factor, write_repeated
from tile_engine.stores.files import read_json, write_json
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage, pyramid


def stored(path: Path, cells: np.ndarray, image: Frame, factor: int, levels: int) -> StoredImage:
    """The cells as a label on the frame of an image, in small shards."""
    side = (8,) * len(image.shape)
    spec = ImageSpec(pyramid(image, levels=levels), None, "uint8", (16,) * len(side), side)
    label, _ = write_repeated(path, cells, spec, (factor,) * len(side))
    label.finish(name="label", label={}, notes={CELL_KEY: [factor] * len(side)})
    return label


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_every_pixel_has_the_value_of_its_cell_and_the_cells_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    spacing = data.draw(
        st.sampled_from([(0.5, 0.5), (3.0, 1.0, 1.0)])
    )  # the second is halved along y and x alone at first
    shape = tuple(data.draw(st.integers(1, 40 if len(spacing) == 2 else 14)) for _ in spacing)
    factor, levels = data.draw(st.sampled_from([1, 2, 3, 4, 6, 8])), data.draw(st.integers(1, 4))
    image = Frame(("z", "y", "x")[-len(shape) :], shape, spacing)
    frame = image.coarsen((factor,) * len(shape))
    cells = np.random.default_rng(0).integers(0, 9, frame.shape, np.uint8)
    path = tmp_path_factory.mktemp("cells") / "label"
    label = stored(path, cells, image, factor, levels)
    index = np.indices(shape) // factor
    assert (label.read(image.box)[0] == cells[tuple(index)]).all()
    for level, on in enumerate(label.frames[1:], 1):
        every = [round(a / b) for a, b in zip(on.spacing, image.spacing, strict=True)]
        assert (
            label.read(on.box, level)[0] == label.read(image.box)[0][tuple(slice(None, None, n) for n in every)]
        ).all()
    back = LabelCells.open(path)
    assert back.frame == frame
    assert (back.read_all() == cells).all()
    corner = tuple(data.draw(st.integers(0, n - 1)) for n in frame.shape)
    assert (back.read(Box(corner, frame.shape)) == cells[tuple(slice(a, None) for a in corner)]).all()


def test_a_label_without_the_size_of_its_cells_is_its_cells(tmp_path: Path) -> None:
    image = Frame(("y", "x"), (9, 7), (8.0, 8.0))
    cells = np.random.default_rng(0).integers(0, 9, image.shape, np.uint8)
    stored(tmp_path / "label", cells, image, 1, 2)
    document = read_json(tmp_path / "label" / "zarr.json")
    del document["attributes"]["tile_engine"][CELL_KEY]
    write_json(tmp_path / "label" / "zarr.json", document)
    old = LabelCells.open(tmp_path / "label")
    assert old.frame == image
    assert (old.read_all() == cells).all()


@pytest.mark.parametrize("size", [[0, 1], [2], "4", [2.0, 2.0], [True, True]])
def test_a_size_that_was_never_written_is_refused(tmp_path: Path, size: object) -> None:
    stored(tmp_path / "label", np.zeros((2, 2), np.uint8), Frame(("y", "x"), (4, 4), (1.0, 1.0)), 2, 1)
    document = read_json(tmp_path / "label" / "zarr.json")
    document["attributes"]["tile_engine"][CELL_KEY] = size
    write_json(tmp_path / "label" / "zarr.json", document)
    with pytest.raises(CorruptError, match="size of its cells"):
        LabelCells.open(tmp_path / "label")


def test_only_whole_pixels_make_a_cell() -> None:
    image = Frame(("y", "x"), (100, 100), (0.2528, 0.2528))
    assert cell_factor(image.coarsen((64, 64)), image) == (64, 64)
    assert cell_factor(image.coarsen((24, 24)), image.coarsen((16, 16))) == ()
    assert cell_factor(image.coarsen((8, 8)), image.coarsen((16, 16))) == ()
