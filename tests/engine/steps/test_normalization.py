"""Patches as a network sees them where stains are normalised."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.steps import normalization
from tile_engine.engine.steps.normalization import StainTarget, normalizer, prepare_of
from tile_engine.engine.tiling.plan import unchanged
from tile_engine.models.stains.density import pixels_of, transmitted
from tile_engine.models.stains.profile import StainProfile, stain_profile, vector_distance

HE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
PINK = np.array([[0.50, 0.70, 0.51], [0.10, 0.85, 0.52]])
STARTS = np.zeros((20, 2), int)


def patches(vectors: np.ndarray, seed: int) -> np.ndarray:
    amounts = np.random.default_rng(seed).gamma(2.0, 0.35, (20 * 256, 2))
    amounts[:1500, 0], amounts[1500:3000, 1] = 0, 0
    return np.moveaxis(transmitted(amounts @ vectors).reshape(20, 16, 16, 3), -1, 1).copy()


def profile(pixels: np.ndarray) -> StainProfile:
    found = stain_profile(pixels_of(pixels))
    assert found is not None
    return found


def target_like(own: StainProfile, method: str) -> StainTarget:
    values: dict[str, Any] = {"vectors": own.basis.vectors.tolist(), "strengths": own.basis.strengths.tolist()}
    values |= {"mean": own.colours.mean.tolist(), "spread": own.colours.spread.tolist()}
    return StainTarget.model_validate({"method": method, "slide": "a", **values})


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_patches_of_another_stain_become_alike_the_target(method: str) -> None:
    pixels, target = patches(HE, 0), profile(patches(PINK, 1))
    found = normalizer(target_like(target, method), profile(pixels))(pixels.copy(), STARTS)
    assert found.shape == pixels.shape and found.dtype == np.uint8
    assert vector_distance(profile(found), target) < vector_distance(profile(pixels), target) / 2


def test_without_a_target_or_a_stain_nothing_changes() -> None:
    assert normalizer(None, profile(patches(HE, 0))) is unchanged
    assert normalizer(target_like(profile(patches(HE, 0)), "macenko"), None) is unchanged


def test_the_background_is_filled_before_stains_are_normalised(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "zarr.json").write_text("{}")
    job: Any = SimpleNamespace(folder=SimpleNamespace(label=lambda image, name: tmp_path))
    pixels, target = patches(HE, 0), target_like(profile(patches(PINK, 1)), "macenko")
    filled = pixels[::-1].copy()
    monkeypatch.setattr(normalization, "background_filler", lambda job, image: lambda pixels, starts: filled.copy())
    monkeypatch.setattr(normalization, "slide_stain", lambda job, image: profile(pixels))
    monkeypatch.setattr(normalization, "target_of", lambda job: target)
    expected = normalizer(target, profile(pixels))(filled.copy(), STARTS)
    assert np.array_equal(prepare_of(job, "a-1")(pixels, STARTS), expected)
