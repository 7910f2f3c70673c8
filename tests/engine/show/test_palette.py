"""Colours of clusters: fixed, distinct, legible."""

import itertools

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from tile_engine.engine.show.palette import colour, hexadecimal, ink, palette

DEUTERANOPE = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""


def apart(colours: np.ndarray) -> float:
    """The smallest CIEDE2000 distance between any two."""
    lab = rgb2lab(colours[None])[0]
    return min(float(deltaE_ciede2000(a, b)) for a, b in itertools.combinations(lab, 2))


def test_a_cluster_keeps_its_colour_whatever_the_number_of_clusters():
    for k in range(1, 130):
        assert palette(k) == palette(130)[:k]


def test_twenty_colours_are_distinct_and_far_from_the_stain_and_the_glass():
    first = np.array(palette(20)) / 255
    assert apart(first) > 15
    stain = np.array([(236, 190, 214), (200, 140, 190), (245, 245, 245)]) / 255
    for shade in rgb2lab(stain[None])[0]:
        assert deltaE_ciede2000(rgb2lab(first[None])[0], shade[None]).min() > 10


def test_the_first_twelve_stay_apart_for_a_deuteranope():
    linear = (np.array(palette(12)) / 255) ** 2.2
    seen = np.clip(linear @ DEUTERANOPE.T, 0, 1) ** (1 / 2.2)
    assert apart(seen) > 9


def test_a_hundred_colours_are_all_different():
    assert len(set(palette(100))) == 100


def test_no_colour_for_unlabelled():
    with pytest.raises(ValueError, match="counted from 1"):
        colour(0)


def test_text_on_a_colour_is_dark_on_bright_ones():
    assert hexadecimal((0, 10, 255)) == "#000aff"
    assert ink((240, 228, 66)) == "#111111"
    assert ink((0, 0, 210)) == "#ffffff"
