"""Spots: pasted squares are found, scores depend on the film alone, references survive being written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.anomaly.nearest import Reference, nearest_distances
from tile_engine.models.anomaly.spots import SPOT_SCORES, reference_from, reference_of, score_spots, spot_maps
from tile_engine.models.networks.spotter import Spotter, spotter_of, standardised
from tile_engine.models.seeds import generator
from tile_engine.models.training.pasting import Pasting, PastingPlan
from tile_engine.models.training.phases import Phase, train_phase
from tile_engine.models.views.pasted import KINDS_OF_PASTE, PastedViews, prior_of

SIDE = 32


def stripes(count: int, seed: int = 0) -> np.ndarray:
    """Upright stripes of varied phase in noise, uint8 (N, 1, SIDE, SIDE)."""
    draw = np.random.default_rng(seed)
    phase = draw.uniform(0, 6.28, (count, 1, 1))
    films = 0.5 + 0.3 * np.sin(np.arange(SIDE) * 1.2 + phase) + draw.normal(0, 0.03, (count, SIDE, SIDE))
    return (films.clip(0, 1)[:, None] * 255).astype(np.uint8)


def pasting(steps: int = 6) -> Phase:
    views = PastedViews(radius=(0.1, 0.3))
    return Pasting(
        Spotter(widths=(8, 16), source=generator(0, "t")), stripes(48), PastingPlan(steps, 24, views), seed=5
    )


@pytest.fixture(scope="module")
def trained() -> Spotter:
    phase = pasting(80)
    train_phase(phase)
    return phase.spotter  # type: ignore[attr-defined,no-any-return]


def test_a_phase_stopped_and_loaded_into_a_new_one_ends_with_the_same_bits() -> None:
    undisturbed, first, second = pasting(), pasting(), pasting()
    train_phase(undisturbed)
    for index in range(3):
        first.step(index)
    state = first.state()
    second.step(0)
    second.load(state)
    train_phase(second, start=3)
    assert all(torch.equal(tensor, second.state()[key]) for key, tensor in undisturbed.state().items())


def test_films_with_blots_score_higher_and_the_map_shows_where(trained: Spotter) -> None:
    films = stripes(24, 1)
    films[12:, :, 8:22, 4:16] = 170
    reference = reference_of(trained, stripes(48))
    scores = score_spots([trained], [reference], films)
    assert tuple(scores) == SPOT_SCORES
    for name, values in scores.items():
        assert (values[12:, None] > values[None, :12]).mean() > 0.9, name
    maps = np.concatenate([error for _, error in spot_maps([trained], films)])
    assert maps.shape == (24, SIDE, SIDE) and maps.min() >= 0 and maps.max() <= 1
    assert maps[12:, 10:20, 6:14].mean() > 1.5 * maps[12:, :, 22:].mean()


def test_a_film_has_the_same_scores_in_any_company_and_after_writing(trained: Spotter) -> None:
    films, order = stripes(9, 2), [7, 1, 4]
    reference = reference_of(trained, stripes(48))
    again = reference_from(reference.tensors())
    network = spotter_of(trained.recipe())
    network.load_state_dict(trained.state_dict())
    whole = score_spots([trained], [reference], films, batch=4)
    part = score_spots([network], [again], films[order], batch=4)
    assert all(np.array_equal(whole[name][order], part[name]) for name in SPOT_SCORES)


def test_brightness_and_contrast_of_the_whole_film_change_nothing(trained: Spotter) -> None:
    films = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(standardised(films), standardised(0.3 * films + 0.2), atol=1e-4)
    assert torch.allclose(trained(films)[0], trained(0.3 * films + 0.2)[0], atol=1e-3)


@pytest.mark.parametrize("kind", range(len(KINDS_OF_PASTE)))
def test_a_paste_changes_a_film_where_its_mask_is_and_nowhere_else(kind: int) -> None:
    films = torch.from_numpy(stripes(6)).float() / 255
    views = PastedViews(weights=tuple(float(n == kind) for n in range(len(KINDS_OF_PASTE))), radius=(0.1, 0.2))
    pasted, mask = views(films, torch.Generator().manual_seed(3))
    again, _ = views(films, torch.Generator().manual_seed(3))
    change = (pasted - films).abs()
    assert torch.equal(pasted, again)
    assert mask.min() >= 0 and mask.max() > 0.5 and 0.01 < mask.mean() < 0.6
    assert change[mask < 1e-3].max() < 1e-2 and change[mask > 0.5].mean() > 0.01
    assert pasted.min() >= 0 and pasted.max() <= 1


def test_masks_lie_where_the_prior_is() -> None:
    prior = np.zeros((4, 4))
    prior[3, 0] = 1.0
    views = PastedViews(prior=tuple(map(tuple, prior.tolist())), bilateral=0.0, radius=(0.05, 0.1))
    mask = views.masks(20, SIDE, torch.Generator().manual_seed(0))
    assert mask[:, :, 16:, :16].sum() > 0.8 * mask.sum()


def test_the_prior_is_the_dark_middle() -> None:
    film = np.ones((40, 40))
    film[:, :4] = film[12:30, 8:14] = 0.0
    prior = np.array(prior_of(film, cells=10))
    assert prior[4, 2] > 0 and prior[4, 0] == 0 and prior[1, 5] == 0


def test_distances_are_those_of_a_direct_computation() -> None:
    draw = np.random.default_rng(0)
    train, test = draw.normal(2, 3, (30, 4)), draw.normal(0, 1, (7, 4))
    train[:, 3] = 1.0  # constant: says nothing
    scaled, points = (
        (test - train.mean(0))[:, :3] / train[:, :3].std(0),
        (train - train.mean(0))[:, :3] / train[:, :3].std(0),
    )
    known = np.sort(np.linalg.norm(scaled[:, None] - points, axis=2), 1)[:, :5].mean(1)
    assert np.allclose(Reference.of(train).distances(test), known)
    assert np.allclose(
        nearest_distances(points, points, 2, skip_self=True)[0],
        np.sort(np.linalg.norm(points[1:] - points[0], axis=1))[:2].mean(),
    )


def test_what_cannot_be_scored_is_refused(trained: Spotter) -> None:
    with pytest.raises(SettingsError, match="1 networks have 0 references"):
        score_spots([trained], [], stripes(2))
    with pytest.raises(SettingsError, match="1 training films have no spread"):
        reference_of(trained, stripes(1))
    with pytest.raises(SettingsError, match="have finite"):
        Reference.of(np.full((3, 2), np.nan))
    with pytest.raises(SettingsError, match="each of opacity"):
        PastedViews(weights=(1.0,))
