"""Plans and runs: tiled equals whole for every tile, halo and stride, whatever does the work; what cannot be read is masked."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.engine.tiling import plan as plan_module
from tile_engine.engine.tiling.execute import BegunUnit, begin, execute, run
from tile_engine.engine.tiling.plan import Numerics, Plan
from tile_engine.engine.tiling.samplers import grid
from tile_engine.errors import MachineError, SettingsError
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.memory import MemoryLayer, MemorySource


@dataclass(frozen=True)
class Neighbourhood:
    """Sum and maximum over each cell of `stride` pixels and the `halo` around it: exact in integers."""

    stride: tuple[int, ...]
    halo: tuple[int, ...]
    channels: int = 2
    readers: int = 1

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        return {"sum": (self.channels, "int64"), "max": (1, "uint8")}

    def __call__(self, batches: Iterator[np.ndarray]) -> Iterator[Mapping[str, np.ndarray]]:
        for batch in batches:
            window = tuple(s + 2 * h for s, h in zip(self.stride, self.halo, strict=True))
            axes = tuple(range(2, batch.ndim))
            views = np.lib.stride_tricks.sliding_window_view(batch, window, axes)
            views = views[(slice(None), slice(None), *(slice(None, None, s) for s in self.stride))]
            inner = tuple(range(-len(window), 0))
            yield {
                "sum": views.sum(inner, dtype=np.int64),
                "max": views.max(inner).max(1, keepdims=True),
            }


def whole(pixels: np.ndarray, model: Neighbourhood, background: int) -> Mapping[str, np.ndarray]:
    """The model over the whole image at once, padded as a plan pads."""
    sides = [(0, 0)] + [(h, h + -n % s) for n, s, h in zip(pixels.shape[1:], model.stride, model.halo, strict=True)]
    padded = np.pad(pixels, sides, constant_values=background)
    return {name: values[0] for name, values in next(model(iter([padded[None]]))).items()}


@dataclass(frozen=True)
class Case:
    pixels: np.ndarray
    model: Neighbourhood
    tile: tuple[int, ...]
    unit: tuple[int, ...]
    chunks: tuple[int, ...]
    batch: int
    background: int


@st.composite
def cases(draw: Any) -> Case:
    axes = draw(st.sampled_from([2, 3]))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    shape, stride, halo = each(1, 23 if axes == 2 else 11), each(1, 4), each(0, 3)
    tile = tuple(n * s for n, s in zip(each(1, 4), stride, strict=True))
    chunks = each(1, 4)
    unit = tuple(n * c * s for n, c, s in zip(each(1, 3), chunks, stride, strict=True))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (2, *shape), np.uint8)
    return Case(
        pixels,
        Neighbourhood(stride, halo),
        tile,
        unit,
        chunks,
        draw(st.integers(1, 7)),
        draw(st.sampled_from([0, 255])),
    )


def plan_of(case: Case) -> Plan:
    source = MemorySource(case.pixels, background=case.background)
    frame = source.frames[0].coarsen(case.model.stride)
    layers = {
        name: MemoryLayer(frame, chunks=case.chunks, channels=n, dtype=t) for name, (n, t) in case.model.outputs.items()
    }
    tiles = partial(grid, shape=case.tile, halo=case.model.halo)
    return Plan(source, tiles, case.model, layers, case.unit, numerics=Numerics(batch=case.batch))


def threads(work: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(work, units)


def shuffled(work: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
    order = list(units)
    random.Random(1).shuffle(order)
    return map(work, order)


@settings(deadline=None, max_examples=150)
@given(cases(), st.sampled_from([map, threads, shuffled]))
def test_a_tiled_run_equals_the_whole_image_run(case: Case, workers: Any) -> None:
    plan = plan_of(case)
    run(plan, workers)
    for name, expected in whole(case.pixels, case.model, case.background).items():
        assert plan.layers[name].complete
        np.testing.assert_array_equal(plan.layers[name].values, expected, err_msg=name)


@settings(deadline=None, max_examples=50)
@given(cases())
def test_every_tile_is_counted_once_in_its_units_facts(case: Case) -> None:
    plan = plan_of(case)
    outcomes = run(plan)
    assert sum(o.facts["tiles"] for o in outcomes) == sum(1 for unit in plan.units() for _ in plan.tiles(unit))
    assert not any(o.facts.get("masked") for o in outcomes)


def broken(axes: int) -> tuple[Plan, np.ndarray, Neighbourhood]:
    """An image of which one block of 256 cannot be decoded; tiles of 32 with a halo of 4."""
    shape = (600, 520) if axes == 2 else (8, 300, 280)
    pixels = np.random.default_rng(0).integers(0, 256, (1, *shape), np.uint8)
    lead = (8,) * (axes - 2)
    model = Neighbourhood((8,) * axes, (0,) * (axes - 2) + (4, 4), channels=1)
    hole = Box((0,) * (axes - 2) + (10, 258), (1,) * (axes - 2) + (11, 259))
    source = MemorySource(pixels, broken=(hole,))
    frame = source.frames[0].coarsen(model.stride)
    layers = {
        name: MemoryLayer(frame, chunks=(16,) * axes, channels=n, dtype=t) for name, (n, t) in model.outputs.items()
    }
    tiles = partial(grid, shape=(*lead, 32, 32), halo=model.halo)
    return Plan(source, tiles, model, layers, (384,) * axes), pixels, model


@pytest.mark.parametrize("axes", [2, 3])
def test_tiles_that_touch_undecodable_pixels_are_masked_and_counted_and_all_others_are_right(axes: int) -> None:
    plan, pixels, model = broken(axes)
    outcomes = run(plan)
    bad = Box((0,) * (axes - 2) + (0, 256), (256,) * (axes - 2) + (256, 512))
    expected = whole(pixels, model, 255)["sum"]
    # what reads the damage is lost, its halo included; at most what reads the 256-block around it; all else is right
    hole = (0,) * (axes - 2) + (10, 258)
    pixel, frame = Box(hole, tuple(a + 1 for a in hole)), plan.source.frames[0].box
    found = plan.layers["sum"].values
    tiles = [tile for unit in plan.units() for tile in plan.tiles(unit)]
    masked = 0
    for tile in tiles:
        cells = (slice(None), *tile.write.coarsen(model.stride).slices)
        lost = not found[cells].any()
        masked += lost
        assert (tile.read & pixel).size <= lost <= ((tile.read & bad & frame).size > 0)
        np.testing.assert_array_equal(found[cells], 0 if lost else expected[cells])
    assert masked == sum(o.facts["masked"] for o in outcomes) > 0
    assert sum(o.facts["tiles"] for o in outcomes) == len(tiles) - masked


def test_a_unit_without_tiles_is_written_as_zeros() -> None:
    plan, *_ = broken(2)
    run(replace(plan, tiles=lambda box: iter(())))
    assert all(layer.complete and not layer.values.any() for layer in plan.layers.values())


def simple(**changes: Any) -> Plan:
    source = MemorySource(np.zeros((1, 64, 48), np.uint8))
    model = Neighbourhood((4, 4), (2, 2), channels=1)
    layers = {
        name: MemoryLayer(source.frames[0].coarsen((4, 4)), chunks=(4, 4), channels=n, dtype=t)
        for name, (n, t) in model.outputs.items()
    }
    tiles = partial(grid, shape=(8, 8), halo=(2, 2))
    return replace(Plan(source, tiles, model, layers, (16, 16)), **changes)


def test_a_sound_plan_passes_its_check() -> None:
    simple().check()
    simple(unit=(32, 16)).check()
    simple(unit=(100, 100)).check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"level": 1}, ["level 1", "1 levels"]),
        ({"unit": (12, 16)}, ["[0, 3)", "along y", "shards of 4", "multiple of 16"]),
        ({"unit": (16, 18)}, ["[0, 4.5)", "along x", "shards of 4"]),
        ({"tiles": partial(grid, shape=(8, 8), halo=(1, 1))}, ["halo of 2", "10 cells"]),
        ({"tiles": partial(grid, shape=(6, 6), halo=(2, 2))}, ["10 cells", "stride of 4"]),
    ],
)
def test_a_plan_that_would_lose_or_misplace_results_is_refused_with_both_values(
    changes: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        simple(**changes).check()
    assert all(words in caught.value.message for words in said), caught.value.message


def test_a_result_without_a_layer_and_a_layer_without_a_result_are_refused() -> None:
    plan = simple()
    with pytest.raises(SettingsError, match="'max' has no layer"):
        replace(plan, layers={"sum": plan.layers["sum"]}).check()
    with pytest.raises(SettingsError, match="'other'"):
        replace(plan, layers={**plan.layers, "other": plan.layers["sum"]}).check()


@pytest.mark.parametrize("frame", [Frame(("y", "x"), (16, 13), (4.0, 4.0)), Frame(("y", "x"), (16, 12), (4.0, 2.0))])
def test_a_layer_on_another_frame_is_refused_with_both_frames(frame: Frame) -> None:
    plan = simple()
    layer = MemoryLayer(frame, chunks=(4, 4), channels=1, dtype="uint8")
    with pytest.raises(SettingsError) as caught:
        replace(plan, layers={**plan.layers, "max": layer}).check()
    for value in (frame.shape, frame.spacing, (16, 12), (4.0, 4.0)):
        assert str(value) in caught.value.message


def test_a_plan_beyond_the_machines_memory_is_refused_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = simple()
    monkeypatch.setattr(plan_module, "available_memory", lambda: plan.memory() * 2)
    plan.check(workers=2)
    with pytest.raises(MachineError, match="3 workers need about 0 MiB and 0 MiB are free") as caught:
        plan.check(workers=3)
    assert caught.value.exit_status == 5


def test_a_sampler_may_yield_tiles_one_by_one() -> None:
    plan, again = simple(), simple()
    source = MemorySource(np.random.default_rng(0).integers(0, 256, (1, 64, 48), np.uint8))
    run(replace(plan, source=source))
    run(replace(again, source=source, tiles=lambda box: (tile for tile in plan.tiles(box))))
    assert plan.layers["sum"].values.any()
    np.testing.assert_array_equal(plan.layers["sum"].values, again.layers["sum"].values)


def test_an_outcome_travels_between_processes() -> None:
    outcome = run(simple())[0]
    assert copy.deepcopy(outcome) == outcome  # by the same road as between processes


def test_a_run_checks_its_plan_before_any_work() -> None:
    plan = simple(unit=(12, 16))
    with pytest.raises(SettingsError):
        run(plan)
    assert not any(layer.values.any() or layer.complete for layer in plan.layers.values())


@pytest.mark.parametrize("workers", [map, threads, shuffled])
def test_a_batch_is_prepared_by_where_its_tiles_begin(workers: Any) -> None:
    """The same values in every order of the units; the padding of the last batch is not asked about."""

    def corners(pixels: np.ndarray, starts: np.ndarray) -> np.ndarray:
        assert len(pixels) == len(starts)
        pixels[:] = (starts.sum(1) % 251 + 2)[:, None, None, None]
        return pixels

    plan = simple(prepare=corners, numerics=Numerics(batch=5))
    run(plan, workers)
    y, x = np.indices(plan.layers["sum"].values.shape[1:]) // 2 * 8 - 2
    cells = (4 + 2 * 2) ** 2
    np.testing.assert_array_equal(plan.layers["sum"].values[0], ((y + x) % 251 + 2) * cells)


def test_a_unit_may_be_begun_before_and_the_next_one_while_the_model_computes() -> None:
    """`then` comes with the last pixels, before the last results: two units that overlap write what they write one by one."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 64), np.uint8)
    model, events = Neighbourhood((2, 2), (1, 1)), list[str]()

    @dataclass(frozen=True)
    class Late(Neighbourhood):
        def __call__(self, batches: Iterator[np.ndarray]) -> Iterator[Mapping[str, np.ndarray]]:
            kept = list(super().__call__(batches))
            events.append("computed")
            yield from kept

    def plan_by(model: Neighbourhood) -> Plan:
        frame = Frame(("y", "x"), (20, 32), (2.0, 2.0))
        layers = {
            name: MemoryLayer(frame, chunks=(4, 4), channels=n, dtype=t) for name, (n, t) in model.outputs.items()
        }
        tiles = partial(grid, shape=(4, 4), halo=(1, 1))
        return Plan(MemorySource(pixels), tiles, model, layers, unit=(40, 32), numerics=Numerics(batch=7))

    one_by_one, ahead = plan_by(model), plan_by(Late(model.stride, model.halo))
    run(one_by_one)
    first, second = ahead.units()
    begun: list[BegunUnit] = []

    def then() -> None:
        events.append("then")
        begun.append(begin(ahead, second))

    execute(ahead, first, then=then)
    assert events == ["then", "computed"]
    assert execute(ahead, second, begun[0]).facts == {"masked": 0, "tiles": 80}
    for name, layer in one_by_one.layers.items():
        np.testing.assert_array_equal(ahead.layers[name].values, layer.values)
