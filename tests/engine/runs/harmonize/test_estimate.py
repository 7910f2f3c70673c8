"""The forecast counts what a CycleGAN's tiles and training need, and what all sites of a training keep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tile_engine.engine.pipeline.settings import settings_of
from tile_engine.engine.runs.harmonize.estimate import ACTIVATIONS, KEPT, tile_bytes, training_bytes
from tile_engine.engine.runs.harmonize.settings import HarmonizeSlideSettings, HarmonizeVolumeSettings


def job(shape: tuple[int, ...], **settings: Any) -> Any:
    kind = HarmonizeVolumeSettings if len(shape) == 3 else HarmonizeSlideSettings
    chosen = settings_of({"to": "B", "device": "cpu", **settings}, kind)
    modality = SimpleNamespace(axes=("z", "y", "x")[-len(shape) :], planar=len(shape) == 2)
    return SimpleNamespace(settings=chosen, modality=modality, slides={"a": SimpleNamespace(shape=shape)})


def test_a_tile_needs_its_halo_and_no_more_than_the_image() -> None:
    unet = 4 * ACTIVATIONS["unet"] * 8
    assert tile_bytes(job((500, 600, 700), generator="unet"), ["a"]) == unet * (128 + 2 * 96) ** 3
    assert tile_bytes(job((170, 200, 700), generator="unet"), ["a"]) == unet * 176 * 208 * 320
    assert tile_bytes(job((500, 600, 700), generator="unet", tile=32, halo=10), ["a"]) == unet * 64**3
    resnet = 4 * ACTIVATIONS["resnet"] * 32
    assert tile_bytes(job((9000, 9000), generator="resnet"), ["a"]) == resnet * (512 + 2 * 84) ** 2


def test_a_generator_of_slices_holds_a_few_of_them() -> None:
    whole = tile_bytes(job((320, 320, 320), generator="unet", width=16), ["a"])
    sliced = tile_bytes(job((320, 320, 320), generator="unet", slices=True), ["a"])
    assert sliced == 4 * ACTIVATIONS["unet"] * 16 * 16 * 320**2 + 24 * 320**3 and sliced < whole / 10


def test_training_needs_memory_by_its_pieces_and_none_where_a_gpu_trains_or_the_generator_is_light() -> None:
    shape = (100, 100, 100)
    assert training_bytes(job(shape, generator="unet")) == 4 * KEPT["unet"] * 8 * 64**3 * 6
    assert training_bytes(job(shape, generator="resnet", slices=True)) == 4 * KEPT["resnet"] * 32 * 4 * 128**2 * 6
    for settings in ({"generator": "light"}, {"generator": "unet", "device": "cuda"}):
        assert training_bytes(job(shape, **settings)) == tile_bytes(job(shape, **settings), ["a"]) == 0
