"""Pictures: the same bytes however many are drawn at a time, and matplotlib as it was afterwards."""

from __future__ import annotations

import io
import warnings
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import BboxImage
from PIL import Image

from tile_engine.engine.show.dots import DotsImage
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


@pytest.mark.parametrize("inches", [0.5, 0.4])
def test_an_image_of_dots_is_drawn_as_matplotlib_draws_it(inches: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """75 pixels are half an inch: on fewer dots the image is sampled."""

    def drawn() -> bytes:
        figure = new_figure(1.3, 1.1)
        rgb = np.random.default_rng(0).integers(0, 255, (75, 75, 3), np.uint8)
        draw_pixels(figure, 0.21, 0.33, (inches, inches), rgb=rgb, gid="pixels")
        return png(figure)

    sampled: list[float] = []
    make_image = BboxImage.make_image
    monkeypatch.setattr(BboxImage, "make_image", lambda *args: sampled.append(inches) or make_image(*args))
    ours = drawn()
    assert sampled == [0.4][: inches == 0.4]
    monkeypatch.delattr(DotsImage, "make_image")
    assert ours == drawn() and sampled
