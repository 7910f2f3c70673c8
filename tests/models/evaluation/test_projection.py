"""Projection: the same plane from the same seed; a code's place is its own affair."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.evaluation import projection
from tile_engine.models.evaluation.projection import LOOPS, Projection, compile_loops, embed_points, fit_umap

DRAW = np.random.default_rng(0)
SAMPLE_NF = np.concatenate([DRAW.normal(c, 0.3, (60, 10)) for c in (0, 4)]).astype(np.float32)


@pytest.fixture(scope="module")
def plane() -> Projection:
    return fit_umap(SAMPLE_NF, seed=1, epochs=50)


@pytest.mark.nightly
def test_the_same_seed_gives_the_same_plane_and_groups_stay_apart(plane: Projection) -> None:
    assert np.array_equal(plane.xy_N2, fit_umap(SAMPLE_NF, seed=1, epochs=50).xy_N2)
    assert plane.method == "umap"
    first, second = plane.xy_N2[:60], plane.xy_N2[60:]
    assert np.linalg.norm(first.mean(0) - second.mean(0)) > 2 * max(first.std(), second.std())


@pytest.mark.nightly
def test_what_is_compiled_at_the_installation_is_all_that_a_run_needs(plane: Projection) -> None:
    compiled = [set(loop.signatures) for loop in LOOPS]
    compile_loops()
    assert all(compiled) and [set(loop.signatures) for loop in LOOPS] == compiled


def test_a_code_of_the_sample_lands_on_its_own_point(plane: Projection) -> None:
    np.testing.assert_allclose(embed_points(SAMPLE_NF, plane), plane.xy_N2, atol=1e-3)


@pytest.mark.nightly
def test_places_do_not_depend_on_the_batch(plane: Projection) -> None:
    codes_NF = DRAW.normal(2, 2, (101, 10)).astype(np.float32)
    whole = embed_points(codes_NF, plane)
    assert np.array_equal(whole, np.concatenate([embed_points(codes_NF[i : i + 1], plane) for i in range(101)]))
    assert np.array_equal(whole, embed_points(codes_NF, plane, chunk=13))


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_few_points_are_shown_by_their_components(count: int) -> None:
    plane = fit_umap(SAMPLE_NF[:count])
    assert plane.method == "pca" and plane.xy_N2.shape == (count, 2)
    assert np.isfinite(embed_points(SAMPLE_NF[:3], plane)).all()


def test_few_points_are_placed_by_principal_components_and_the_method_says_so():
    from tile_engine.models.evaluation.projection import tsne

    rng = np.random.default_rng(0)
    assert tsne(rng.normal(size=(9, 4))).method == "pca"
    assert tsne(rng.normal(size=(12, 4))).method == "tsne"


def test_loops_that_are_not_compiled_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under NUMBA_DISABLE_JIT."""
    monkeypatch.setattr(projection, "LOOPS", (lambda: None,))
    projection._keep_compiled.__wrapped__()
