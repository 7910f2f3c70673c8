"""Registration of drawn sections under known maps."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from tile_engine.models.registration import fit as fitting
from tile_engine.models.registration.fit import FitSettings, register_pair
from tile_engine.models.registration.transform import PairFit, map_points

from .sections import DAB, SIDE, amounts, grid, painted, pulled

Array = npt.NDArray[Any]
QUICK = FitSettings(side=SIDE, stiffness=(2.5,), turned=False, threads=1)
CENTRE = (SIDE - 1) / 2


def registered(reference: Array, moving: Array, settings: FitSettings = QUICK, seed: int = 0) -> PairFit:
    masks = reference.min(0) < 225, moving.min(0) < 225
    return register_pair(reference, moving, spacing=8.0, settings=settings, seed=seed, masks=masks)


def errors(fit: PairFit, goal: Array) -> Array:
    """Distances in shares of the diagonal, over the tissue; `goal` (2, y, x): where each pixel of the reference lies."""
    tissue = amounts()[1] > 0.05
    points = grid()[:, tissue].T
    return np.linalg.norm(map_points(fit, points) - goal[:, tissue].T, axis=1) / np.hypot(SIDE, SIDE)


def turned(angle: float, flip: bool, scale: float = 1.0) -> tuple[Array, Array]:
    """(coordinates at which the moving picture reads the section, where the pixels of the section lie in it)."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = scale * np.array([[cos, sin], [-sin, cos]]) @ np.diag([1.0, -1.0 if flip else 1.0])
    inverse = np.linalg.inv(linear)
    centred = grid() - CENTRE
    read = np.einsum("ij,jyx->iyx", inverse, centred) + CENTRE
    return read, np.einsum("ij,jyx->iyx", linear, centred) + CENTRE


@lru_cache(maxsize=1)
def elastic() -> tuple[PairFit, Array]:
    """The fit of a section to itself under a smooth displacement of 5 px at most, stained otherwise; and the truth."""
    draw = np.random.default_rng(3)
    noise = np.stack([ndimage.gaussian_filter(draw.normal(size=(SIDE, SIDE)), 40) for _ in range(2)])
    shift = 5.0 * noise / np.abs(noise).max()
    reference = painted(pulled(amounts(), grid() + shift))
    moving = painted(amounts(), DAB, 0.7)
    return registered(reference, moving), grid() + shift


def test_a_smooth_displacement_across_stains_is_found() -> None:
    fit, goal = elastic()
    assert [stage.accepted for stage in fit.stages if stage.name in ("affine", "field")] == [True, True]
    assert fit.folding == 0
    assert errors(fit, goal).mean() < 0.002


def test_the_field_is_what_the_affine_map_cannot_do() -> None:
    fit, goal = elastic()
    assert errors(PairFit(fit.affine, None), goal).mean() > 2 * errors(fit, goal).mean()


@pytest.mark.parametrize(("angle", "flip"), [(205.0, False), (92.0, True)])
def test_a_section_that_was_turned_or_turned_over_is_found(angle: float, flip: bool) -> None:
    read, goal = turned(angle, flip, 1.04)
    settings = FitSettings(side=SIDE, stiffness=(), threads=1)
    fit = registered(painted(amounts()), painted(pulled(amounts(), read), DAB), settings)
    assert fit.flip == flip
    assert abs(fit.rotation - angle) < 8
    assert fit.field is None
    assert errors(fit, goal).mean() < 0.002


def test_a_field_that_makes_it_worse_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that shifts everything by 4 pixels, whatever the evidence."""
    monkeypatch.setattr(fitting, "fit_field", lambda fixed, *_: np.full((2, *fixed.picture.shape), 4.0, np.float32))
    image = painted(amounts())
    fit = registered(image, image)
    field = fit.stages[-1]
    assert (field.name, field.accepted, fit.field) == ("field", False, None)
    assert field.score_after < field.score_before
    assert "not better" in field.why


def test_an_affine_map_that_makes_it_worse_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = np.array([[0, 0, 5.0], [0, 0, 5.0]])
    monkeypatch.setattr(fitting, "fit_affine", lambda fixed, moving, affine, evidence: affine + shift)
    image = painted(amounts())
    fit = registered(image, image, FitSettings(side=160, stiffness=(), turned=False, threads=1))
    assert not any(stage.accepted for stage in fit.stages)
    assert np.array_equal(fit.affine, np.eye(2, 3))


def test_sections_with_nothing_in_common_stay_where_they_are() -> None:
    fit = registered(painted(amounts(0)), painted(amounts(1), DAB), FitSettings(side=160, stiffness=(), threads=1))
    assert np.array_equal(fit.affine, np.eye(2, 3))
    assert fit.field is None
    assert all("not better" in stage.why for stage in fit.stages if not stage.accepted)


@pytest.mark.parametrize("shape", [(64, 64), (17, 400), (256, 256)])
def test_glass_gives_the_identity_and_says_why(shape: tuple[int, int]) -> None:
    blank = np.full((3, *shape), 244, np.uint8)
    fit = register_pair(painted(amounts()), blank, spacing=None, settings=QUICK, seed=0)
    assert np.array_equal(fit.affine, np.eye(2, 3))
    assert "the moving section has tissue on 0.00%" in fit.notes[-1]


def test_a_speck_of_tissue_is_no_exception() -> None:
    image = np.full((3, 40, 30), 244, np.uint8)
    image[:, 10:20, 10:20] = 90
    fit = registered(image, image)
    assert not any(stage.accepted for stage in fit.stages)
    assert "cannot tell" in fit.stages[-1].why


def test_the_same_seed_gives_the_same_bytes() -> None:
    read, _ = turned(3.0, False)
    read = read + 3 * np.sin(grid() / 30)[::-1]
    moving = painted(pulled(amounts(), read), DAB)
    settings = FitSettings(side=SIDE // 2, stiffness=(2.0,), turned=False, threads=1)
    first, second = (registered(painted(amounts()), moving, settings) for _ in range(2))
    assert first.field is not None and second.field is not None
    assert first.affine.tobytes() == second.affine.tobytes()
    assert first.field.values.tobytes() == second.field.values.tobytes()
