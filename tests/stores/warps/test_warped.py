"""Warped and Stacked: what is read through a warp is what interpolation says, in any box, at any level, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import ndimage

from tile_engine.errors import TileError
from tile_engine.stores.downsample import halve
from tile_engine.stores.frame import Array, Box, Frame
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.warps import warped as module
from tile_engine.stores.warps.stacked import Stacked
from tile_engine.stores.warps.warp import Warp, WarpPart
from tile_engine.stores.warps.warped import Warped

FRAME = Frame(("y", "x"), (150, 130), (1.0, 1.0))
GRID = Frame(("y", "x"), (8, 8), (32.0, 32.0), (-16.0, -16.0))


class Section(MemorySource):
    """A picture in memory; `gaps` are what its file does not hold."""

    gaps: tuple[Box, ...] = ()

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        return [gap & box for gap in self.gaps if (gap & box).size]


def picture(y: int = 180, x: int = 160) -> Array:
    draw = np.random.default_rng(0)
    return (
        np.stack([ndimage.gaussian_filter(draw.normal(0, 1, (y, x)), 4) * 900 + 128 for _ in range(3)])
        .clip(0, 255)
        .astype(np.uint8)
    )


def bent() -> Warp:
    draw = np.random.default_rng(2)
    field = np.stack([ndimage.gaussian_filter(draw.normal(0, 1, GRID.shape), 1) for _ in range(2)]) * 12
    return Warp((WarpPart(np.array([[0.98, 0.05, 6.0], [-0.04, 1.01, 9.0]]), field.astype(np.float32), GRID),))


def squeezed() -> Warp:
    """Four times as wide on the left as on the right."""
    field = np.zeros((2, *GRID.shape), np.float32)
    field[1] = np.cumsum(np.linspace(0.6, -0.6, 8)) * 32
    return Warp((WarpPart(np.array([[1.5, 0.0, 40.0], [0.0, 1.5, 9.0]]), field, GRID),))


def expected(warp: Warp, pixels: Array) -> tuple[Array, Array]:
    """Values by scipy's interpolation, and where they lie inside the picture."""
    cells = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in FRAME.shape), indexing="ij"), -1).reshape(-1, 2)
    at = warp.to_moving(cells) - 0.5
    inside = ((at >= 0) & (at <= np.array(pixels.shape[1:]) - 1)).all(1).reshape(FRAME.shape)
    values = [ndimage.map_coordinates(plane.astype(float), at.T, order=1).reshape(FRAME.shape) for plane in pixels]
    return np.stack(values), inside


@pytest.mark.parametrize("warp", [Warp.of_affine([[1, 0, 3.25], [0, 1, 4.5]]), bent()], ids=["shift", "field"])
def test_pixels_are_those_of_one_linear_interpolation(warp: Warp) -> None:
    values, inside = expected(warp, picture())
    read = Warped(Section(picture()), warp, (FRAME,)).read(FRAME.box)
    assert inside.mean() > 0.8
    assert np.abs(read - values)[:, inside].max() < 4
    assert np.abs(read - values)[:, inside].mean() < 0.4


def test_a_box_reads_what_the_whole_has_there() -> None:
    """Also where the section is stretched and squeezed, so that other levels or means would fit some of the boxes."""
    fine = picture(720, 640)
    narrow = Frame(("y", "x"), (67, 71), (3.1, 2.9), (0.3, 0.1))
    for warp in (bent(), squeezed(), Warp((*squeezed().parts, *bent().parts)).inverse()):
        for section in (Section(fine), Section(fine, halve(fine), halve(halve(fine)))):
            for frame in (FRAME, narrow):
                source = Warped(section, warp, (frame,))
                whole, boxes = source.read(frame.box), list(frame.box.cut((37, 41)))
                with ThreadPoolExecutor(3) as pool:
                    for box, values in zip(boxes, pool.map(source.read, boxes), strict=True):
                        assert np.array_equal(values, whole[(slice(None), *box.slices)])


def test_outside_of_the_moving_section_is_background() -> None:
    read = Warped(Section(picture(), background=244), Warp.of_affine([[1, 0, 500.0], [0, 1, 0.0]]), (FRAME,)).read(
        FRAME.box
    )
    assert (read == 244).all()


def test_the_caller_states_what_lies_outside() -> None:
    """A section whose file has no background, such as OME-Zarr, states 0: glass is white all the same."""
    source = Warped(
        Section(picture(), background=0), Warp.of_affine([[1, 0, -20], [0, 1, -30]]), (FRAME,), background=255
    )
    read = source.read(FRAME.box)
    assert source.background == 255
    assert (read[:, :20] == 255).all() and (read[:, :, :30] == 255).all()
    assert np.array_equal(read[:, 20:, 30:], picture()[:, :130, :100])


class Holed(Warp):
    """A warp without a position for part of the reference."""

    def to_moving(self, points: Array) -> Array:
        hole = (np.abs(points - [70, 60]) < 12).all(1)
        return np.where(hole[:, None], np.nan, super().to_moving(points))


@pytest.mark.parametrize("nearest", [False, True])
def test_a_position_without_a_place_is_background_around_it_alone_and_counted(nearest: bool) -> None:
    shift = Warp.of_affine([[1, 0, 3.0], [0, 1, 4.0]])
    whole = Warped(Section(picture(), background=0), shift, (FRAME,), nearest=nearest)
    holed = Warped(Section(picture(), background=0), Holed(shift.parts), (FRAME,), nearest=nearest)
    lost = np.zeros(FRAME.shape, bool)
    lost[56:88, 40:88] = (
        True  # the nodes in the middle of blocks of 16 that the hole holds, and half of what surrounds them
    )
    with np.errstate(all="raise"):
        read = holed.read(FRAME.box)
    count = holed.unplaced(FRAME.box)
    same = (read == whole.read(FRAME.box)).all(0)
    assert same[~lost].all() and (read[:, 60:80, 50:70] == 0).all()
    assert 24 * 24 <= count <= lost.sum() and count == sum(map(holed.unplaced, FRAME.box.cut((37, 41))))
    assert whole.unplaced(FRAME.box) == 0
    inside = Box((66, 56), (70, 62))
    assert holed.unplaced(inside) == inside.size and (holed.read(inside) == 0).all() and holed.absent(inside) == []


@pytest.mark.parametrize(("shrink", "limit"), [(60, 150**2), (60, 60**2), (75, 50**2), (300, 100**2)])
def test_any_number_of_pixels_becomes_one_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, shrink: int, limit: int
) -> None:
    sizes: list[int] = []

    class Counting(Section):
        def read(self, box: Box, level: int = 0) -> Array:
            sizes.append(box.size)
            return super().read(box, level)

    monkeypatch.setattr(module, "MAX_WINDOW", limit)
    n = 600 // shrink
    fine = np.random.default_rng(0).integers(0, 256, (3, 600, 600), np.uint8)
    frame = Frame(("y", "x"), (n, n), (float(shrink),) * 2)
    read = Warped(Counting(fine), Warp.of_affine(np.eye(2, 3)), (frame,)).read(frame.box)
    assert np.abs(read - fine.reshape(3, n, shrink, n, shrink).mean((2, 4))).max() <= 0.51
    assert max(sizes) <= limit and sum(sizes) == 600 * 600


@pytest.mark.parametrize("nearest", [False, True])
def test_a_side_that_opencv_cannot_take_is_divided(nearest: bool) -> None:
    long = np.random.default_rng(0).integers(0, 256, (1, 4, 40_000), np.uint8)
    section, still = Section(long), Warp.of_affine(np.eye(2, 3))
    assert np.array_equal(Warped(section, still, section.frames, nearest=nearest).read(section.frames[0].box), long)
    tall = Section(np.ascontiguousarray(long.transpose(0, 2, 1)))
    assert Warped(tall, still, tall.frames).read(Box((33_000, 0), (33_100, 4))).shape == (1, 100, 4)


def test_a_coarse_frame_reads_a_coarse_level_or_means_of_pixels() -> None:
    fine = picture(320, 320)
    levels = (fine, halve(fine))
    coarse = Frame(("y", "x"), (80, 80), (4.0, 4.0))
    still = Warp.of_affine([[1, 0, 0], [0, 1, 0]])
    means = fine.reshape(3, 80, 4, 80, 4).mean((2, 4))
    for source in (Section(fine), Section(*levels)):
        assert np.abs(Warped(source, still, (coarse,)).read(coarse.box) - means).max() <= 2


def test_labels_keep_their_numbers() -> None:
    labels = (np.arange(180 * 160).reshape(1, 180, 160) % 70_000).astype(np.uint32)
    read = Warped(Section(labels, background=0), bent(), (FRAME,), nearest=True).read(FRAME.box)
    assert set(np.unique(read)) <= {0, *np.unique(labels).tolist()} and read.dtype == np.uint32


def test_a_large_window_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Counting(Section):
        def read(self, box: Box, level: int = 0) -> Array:
            sizes.append(box.size)
            return super().read(box, level)

    whole = Warped(Section(picture()), bent(), (FRAME,)).read(FRAME.box).astype(int)
    monkeypatch.setattr(module, "MAX_WINDOW", 6000)
    parts = Warped(Counting(picture()), bent(), (FRAME,)).read(FRAME.box)
    assert len(sizes) > 3 and max(sizes) <= 6000
    assert np.array_equal(parts, whole)


def test_a_warp_that_tears_the_section_is_an_unreadable_tile_and_not_a_full_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_WINDOW", 2000)
    field = np.zeros((2, *GRID.shape), np.float32)
    field[:, 3] = 120
    with pytest.raises(TileError, match="tears"):
        Warped(Section(picture()), Warp((WarpPart(np.eye(2, 3), field, GRID),)), (FRAME,)).read(FRAME.box)


def test_what_the_file_does_not_hold_is_absent_where_it_would_lie() -> None:
    section = Section(picture())
    section.gaps = (Box((40, 50), (60, 80)),)
    (gap,) = Warped(section, Warp.of_affine([[1, 0, 10.0], [0, 1, 0.0]]), (FRAME,)).absent(FRAME.box)
    assert gap == Box((30, 50), (50, 80))
    assert Stacked([Warped(section, bent(), (FRAME,)), None], (FRAME,)).absent(Box((0, 0), (10, 10))) == []


def test_a_stack_joins_channels_and_a_missing_section_is_background() -> None:
    frames = Section(picture()).frames
    stack = Stacked([Section(picture()), None], frames)
    read = stack.read(Box((3, 4), (50, 60)))
    assert stack.channels == 6 and np.array_equal(read[:3], picture()[:, 3:50, 4:60]) and (read[3:] == 255).all()
    with pytest.raises(ValueError, match="channels"):
        Stacked([Section(picture()[:1])], frames)
