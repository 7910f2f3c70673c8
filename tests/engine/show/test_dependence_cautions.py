"""What the first lines of a report say of clusters that follow a slide, a stain or a scanner."""

from __future__ import annotations

import numpy as np

from tile_engine.engine.show.dependence_cautions import dependence_cautions, silent_reasons
from tile_engine.models.evaluation.bound import BoundCluster
from tile_engine.models.evaluation.dependence import Dependence, column_information, slide_information

ON_SLIDE = BoundCluster(3, "slide", "s7", 0.97, 0.2)
ON_STAIN = BoundCluster(3, "stain", "CD31", 0.97, 0.2)


def test_a_cluster_on_a_slide_is_named_with_what_to_do() -> None:
    [caution] = dependence_cautions((), (ON_SLIDE,))
    assert caution.headline == "Cluster 3 lies almost wholly on slide s7."
    assert "97.0 % of its tiles" in caution.text and "Look at the slide" in caution.text


def test_the_stain_is_named_before_its_only_slide_and_once() -> None:
    [caution] = dependence_cautions((), (ON_SLIDE, ON_STAIN))
    assert caution.headline == "Cluster 3 lies almost wholly on slides of stain CD31 (slide s7)."
    assert "Cluster each stain on its own" in caution.text


def test_a_stain_that_the_clusters_follow_is_named_and_biology_is_not() -> None:
    found = (
        Dependence("slide", 8, 8, 0.25, 0.25),
        Dependence("stain", 2, 8, 0.5, 0.45, 0.01),
        Dependence("group", 2, 8, 0.5, 0.45, 0.01),
        Dependence("scanner", 2, 8, 0.4, 0.35, 0.2),
    )
    assert [c.headline for c in dependence_cautions(found, ())] == ["The clusters follow the stain."]


def test_what_cannot_be_said_is_said() -> None:
    found = (Dependence("slide", 1, 1, reason="there is one slide"), Dependence("stain", 2, 8, 0.5, 0.4, 0.01))
    assert silent_reasons(found) == ("Nothing can be said of the slide: there is one slide.",)
    assert dependence_cautions(found[:1], ()) == ()


def test_names_that_hold_the_word_slide_stay_as_they_are() -> None:
    column = column_information(np.ones((2, 3), int), "site", ["slide-lab"] * 3, subjects=[""] * 3, noun="volume")
    slide = slide_information(np.ones((2, 1), int), "volume")
    assert silent_reasons((column, slide), "volume") == (
        "Nothing can be said of the site: there is one site, slide-lab.",
        "Nothing can be said of the volume: there is one volume.",
    )


def test_slides_that_are_told_apart_are_named() -> None:
    [caution] = dependence_cautions((Dependence("slide", 2, 2, 0.53, 0.53),), ())
    assert caution.headline == "The clusters follow the slide."


def test_few_slides_are_said_to_be_few() -> None:
    [caution] = dependence_cautions((Dependence("stain", 2, 4, 0.5, 0.4, p=0.34, least_p=1 / 3),), ())
    assert "4 slides are too few to tell this from chance." in caution.text


def test_several_clusters_that_each_lie_on_one_image_are_one_caution() -> None:
    bound = tuple(BoundCluster(n, "slide", f"s{n}", 0.97, 0.2) for n in range(1, 8))
    [caution] = dependence_cautions((), bound, noun="volume")
    assert caution.headline == "7 clusters lie almost wholly on one volume each."
    assert caution.text.startswith("Cluster 1 on s1 (97.0 % of its tiles), cluster 2") and "and 2 more" in caution.text
    assert "Look at the volume" in caution.text
