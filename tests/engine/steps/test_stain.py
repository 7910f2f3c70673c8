"""The stain of a run's slides, from their overviews and masks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.steps import stain
from tile_engine.engine.tiling.mask import Mask
from tile_engine.models.stains.density import transmitted, white_point
from tile_engine.models.stains.profile import stain_profile
from tile_engine.stores.frame import Frame

SIDE = 64
SHAPE = (SIDE * 16, SIDE * 16)


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """An overview (3, 64, 64) with tissue in its lower half, in place of what a store holds."""
    draw = np.random.default_rng(0)
    tissue = transmitted(draw.gamma(2, 0.4, (SIDE * SIDE, 2)) @ np.array([[0.6, 0.7, 0.3], [0.1, 0.9, 0.2]]))
    pixels = tissue.T.reshape(3, SIDE, SIDE).copy()
    pixels[:, : SIDE // 2] = 240
    mask = Mask(np.arange(SIDE)[:, None].repeat(SIDE, 1) >= SIDE // 2, (16, 16), SHAPE)
    monkeypatch.setattr(stain, "overview", lambda source, target: (pixels, []))
    monkeypatch.setattr(stain, "tissue", lambda job, slide: mask)
    monkeypatch.setattr(stain, "glass_of", lambda job, slide: None)
    monkeypatch.setattr(stain, "MIN_TISSUE_MM2", 0.1)
    return pixels


def job_of(**changes: Any) -> Any:
    frame = Frame(("y", "x"), SHAPE, (0.5, 0.5))
    record = {"channels": 3, "dtype": "uint8", "shape": SHAPE, "frame": frame, **changes}
    return SimpleNamespace(slides={"a-1": SimpleNamespace(**record)}, stored=lambda slide: None)


def test_the_profile_is_that_of_the_tissue_against_the_slides_own_glass(picture: np.ndarray) -> None:
    found = stain.slide_stain(job_of(), "a-1")
    tissue = picture[:, SIDE // 2 :].reshape(3, -1).T
    known = stain_profile(tissue, white_point(picture.reshape(3, -1).T))
    assert found is not None and known is not None and found.white.tolist() == [240] * 3
    assert np.array_equal(found.basis.vectors, known.basis.vectors) and np.array_equal(found.hues, known.hues)


def test_a_stain_is_not_told_from_little_tissue(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower half of 64 x 32 cells of 8 um is 0.13 mm2."""
    assert stain.slide_stain(job_of(), "a-1") is not None
    monkeypatch.setattr(stain, "MIN_TISSUE_MM2", 0.2)
    assert stain.slide_stain(job_of(), "a-1") is None


@pytest.mark.parametrize("changes", [{"channels": 1}, {"dtype": "uint16"}, {"shape": (9, 9, 9)}])
def test_images_that_are_no_brightfield_slides_have_none(changes: dict[str, Any]) -> None:
    assert stain.slide_stain(job_of(**changes), "a-1") is None


def test_the_glass_is_what_was_measured_before_the_store_left_pixels_out(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stain, "glass_of", lambda job, slide: np.array([244.0, 243, 150]))
    found = stain.slide_stain(job_of(), "a-1")
    assert found is not None and found.white.tolist() == [244, 243, 200]
