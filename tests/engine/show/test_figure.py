"""Pictures: the same bytes however many are drawn at a time, and matplotlib as it was afterwards."""

from __future__ import annotations

import io
import warnings
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from tile_engine.engine.show.figure import draw_pixels, drawn_together, house_style, new_figure, png, write_title


def picture(title: str) -> bytes:
    with house_style():
        figure = new_figure(3, 2)
        write_title(figure, title)
        rgb = np.random.default_rng(len(title)).integers(0, 255, (75, 75, 3), np.uint8)
        draw_pixels(figure, 1, 1, (0.5, 0.5), rgb=rgb, gid="pixels")
        return png(figure)


def test_pictures_drawn_together_have_the_bytes_of_those_drawn_alone() -> None:
    titles = ["a $slide$", "another one", "the third", "一"]  # of the last one the font has no character
    before = dict(mpl.rcParams)
    together = drawn_together([partial(picture, title) for title in titles])
    assert dict(mpl.rcParams) == before
    assert together == [picture(title) for title in titles] and len(set(together)) == len(titles)


def test_a_style_that_could_not_be_entered_has_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    before, width = dict(mpl.rcParams), mpl.rcParams["lines.linewidth"]
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(warnings, "catch_warnings", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        picture("x")
    with house_style():
        assert mpl.rcParams["lines.linewidth"] != width, "the next one enters it"
    assert dict(mpl.rcParams) == before


def test_a_picture_has_three_channels_and_the_pixels_that_were_drawn() -> None:
    with Image.open(io.BytesIO(picture("x"))) as image:
        assert (image.mode, image.size, image.info) == ("RGB", (450, 300), {})
        drawn = np.asarray(image)[150:225, 150:225]
    assert (drawn == np.random.default_rng(1).integers(0, 255, (75, 75, 3), np.uint8)).all()
