"""Galleries of films and tiles: grey or in colour, with evidence in orange where there is some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tile_engine.engine.show.film_gallery import ShownFilm, film_gallery, overlay


def test_evidence_is_orange_where_it_is_strong_and_leaves_the_rest() -> None:
    evidence = np.zeros((8, 8))
    evidence[:4] = 1.0
    for image in (np.full((8, 8), 60, np.uint8), np.full((8, 8, 3), (60, 80, 100), np.uint8)):
        drawn = overlay(image, evidence)
        assert drawn.shape == (8, 8, 3)
        assert (drawn[4:] == image[4:].reshape(4, 8, -1)).all()
        assert (drawn[:4, :, 0] > 150).all() and (drawn[:4, :, 2] < 30).all()


def test_tiles_keep_their_colours(tmp_path: Path) -> None:
    tile = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    films = [ShownFilm(tile, ("1.5  tumour", "a.svs"), np.zeros((16, 16)))] * 3
    with Image.open(film_gallery(tmp_path / "worst.png", films, title="Least like the tiles")) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert (pixels == (200, 30, 90)).all(1).sum() > 3 * 2 * 100**2
