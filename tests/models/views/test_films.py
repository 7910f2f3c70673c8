"""Views of films: seeded, never mirrored, within the stated sizes, the same for any number of replicas."""

from __future__ import annotations

import pytest
import torch

from tile_engine.errors import SettingsError
from tile_engine.models.replica import Replica
from tile_engine.models.views.films import UNCHANGED, FilmViews


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


FILMS = torch.rand(6, 1, 24, 24, generator=source(9))


def test_a_seed_gives_the_same_views() -> None:
    one, again, other = (FilmViews()(FILMS, source(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.allclose(one, other)
    assert one.shape == FILMS.shape and one.min() >= 0 and one.max() <= 1


def test_unchanged_films_are_the_films() -> None:
    assert torch.allclose(UNCHANGED(FILMS, source()), FILMS, atol=1e-6)


def test_a_view_is_never_mirrored() -> None:
    """The determinant of each move is positive, and a mark on the left stays on the left."""
    rows = FilmViews(turn=15.0, scale=0.3).moves(500, source())
    assert (torch.linalg.det(rows[:, :, :2]) > 0.4).all()
    marked = torch.zeros(200, 1, 32, 32)
    marked[..., 8:24, 4:8] = 1.0
    views = FilmViews(contrast=0.0, gamma=0.0, brightness=0.0)(marked, source())
    assert (views[..., :16].sum((1, 2, 3)) > views[..., 16:].sum((1, 2, 3))).all()


def test_a_shift_has_its_size_in_pixels() -> None:
    """A bright pixel of a film of 40 moves by 0.1 of the side, 4 pixels, at most."""
    film = torch.zeros(300, 1, 40, 40)
    film[..., 20, 20] = 1.0
    views = FilmViews(shift=0.1, turn=0.0, scale=0.0, contrast=0.0, gamma=0.0, brightness=0.0)(film, source())
    places = views.flatten(1).argmax(1)
    moved = torch.stack([places // 40, places % 40], 1) - 20
    assert moved.abs().max() == 4 and moved.float().std() > 1.5


def test_tone_changes_alone_keep_the_order_of_pixels() -> None:
    views = FilmViews(shift=0.0, turn=0.0, scale=0.0, brightness=0.0, contrast=0.1)
    view = views.tone(FILMS, source())
    order, after = FILMS.flatten(1).argsort(1), view.flatten(1).argsort(1)
    assert torch.equal(order, after) and not torch.allclose(view, FILMS, atol=0.01)


def test_replicas_take_their_rows_of_one_draw() -> None:
    whole = FilmViews()(FILMS, source(3))
    parts = [FilmViews()(FILMS[rank * 3 : rank * 3 + 3], source(3), Replica(rank, 2)) for rank in range(2)]
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)


@pytest.mark.parametrize("sizes", [{"shift": -0.1}, {"contrast": 1.0}])
def test_changes_of_no_size_are_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="cannot be made"):
        FilmViews(**sizes)
