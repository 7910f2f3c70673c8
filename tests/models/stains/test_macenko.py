"""Stains from planted mixtures: the directions are found, and a repainted patch has the target's."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.stains.density import optical_density, pixels_of, stained, transmitted
from tile_engine.models.stains.macenko import MIN_PIXELS, StainBasis, repaint, stain_basis

HE = (
    np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    / np.linalg.norm([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]], axis=1)[:, None]
)
PINK = (
    np.array([[0.50, 0.70, 0.51], [0.10, 0.85, 0.52]])
    / np.linalg.norm([[0.50, 0.70, 0.51], [0.10, 0.85, 0.52]], axis=1)[:, None]
)


def planted(vectors: np.ndarray, seed: int = 0, strength: float = 1.0) -> np.ndarray:
    """Patches (40, 3, 16, 16) of two stains; some pixels hold one of both alone, some none."""
    draw = np.random.default_rng(seed)
    amounts = draw.gamma(2.0, 0.35, (40 * 256, 2)) * strength
    amounts[:2000, 0], amounts[2000:4000, 1], amounts[4000:5000] = 0, 0, 0
    return transmitted(amounts @ vectors).reshape(40, 16, 16, 3).transpose(0, 3, 1, 2)


def angles(found: StainBasis, vectors: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((found.vectors * vectors).sum(1), -1, 1)))


def basis_of(patches: np.ndarray) -> StainBasis:
    found = stain_basis(pixels_of(patches))
    assert found is not None
    return found


def test_planted_stains_are_found() -> None:
    assert angles(basis_of(planted(HE)), HE).max() < 3
    assert angles(basis_of(planted(PINK)), PINK).max() < 3


def test_the_strength_is_that_of_the_stain() -> None:
    weak, strong = (basis_of(planted(HE, strength=s)).strengths for s in (0.5, 1.0))
    assert strong / weak == pytest.approx([2, 2], rel=0.1)


def test_a_repainted_slide_has_the_stains_of_the_target() -> None:
    own, target = basis_of(planted(HE, 1, 0.7)), basis_of(planted(PINK, 2))
    found = basis_of(repaint(planted(HE, 1, 0.7), own, target))
    assert angles(found, target.vectors).max() < 3
    assert found.strengths / target.strengths == pytest.approx([1, 1], rel=0.1)


def test_repainting_to_itself_changes_little_and_glass_stays_white() -> None:
    patches = planted(HE)
    patches[0] = 255
    own = basis_of(patches)
    again = repaint(patches, own, own)
    assert again.dtype == np.uint8 and again.shape == patches.shape and (again[0] == 255).all()
    assert np.abs(again.astype(int) - patches).mean() < 3
    assert np.array_equal(again, repaint(patches, own, own))


def test_a_patch_is_repainted_as_in_the_whole() -> None:
    patches = planted(HE)
    own, target = basis_of(patches), basis_of(planted(PINK))
    assert np.array_equal(repaint(patches, own, target)[3:4], repaint(patches[3:4], own, target))


def test_glass_alone_has_no_stains() -> None:
    assert stain_basis(np.full((5000, 3), 250, np.uint8)) is None
    assert stain_basis(pixels_of(planted(HE))[: MIN_PIXELS - 1]) is None


def test_density_is_additive_and_comes_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 3)).astype(np.uint8)
    assert np.array_equal(transmitted(optical_density(pixels)), pixels)
    assert np.array_equal(transmitted(optical_density(pixels, 240), 240), np.minimum(pixels, 240))
    assert len(stained(np.array([[0.0, 0.1, 0.1], [0.4, 0.1, 0.1]]))) == 1
