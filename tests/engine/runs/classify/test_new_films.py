"""New films are held against those that the network was trained on: labels, tones, sites."""

from __future__ import annotations

import numpy as np

from tile_engine.engine.pipeline.record import digest
from tile_engine.engine.runs.classify.cohort import cohort_from
from tile_engine.engine.runs.classify.documents import Folds
from tile_engine.engine.runs.classify.new_films import differences
from tile_engine.engine.steps.films.index import TEXTS, FilmIndex

CLASSES = ("normal", "opacity")


def notes(labels: list[str], sites: list[str], tones: list[float], subjects: tuple[str, ...] = ()) -> str:
    count = len(labels)
    texts = {name: np.full(count, "", object) for name in TEXTS}
    texts |= {"label": np.array(labels, object), "site": np.array(sites, object)}
    if subjects:
        texts["subject"] = np.array(subjects, object)
    films = cohort_from(FilmIndex(texts, {"mean_intensity": np.array(tones)}), np.zeros(count, bool), "normal")
    origin = Folds(
        classes=CLASSES,
        networks={},
        stated=False,
        repeats=1,
        pretraining={},
        sites={"A": {"normal": 3}},
        learned=(digest("P01"), digest("p02")),
        subjects=3,
        intensities=(0.3, 0.6),
    )
    return "\n".join(differences(films, origin, CLASSES))


def test_like_films_need_no_note() -> None:
    assert notes(["normal", "opacity"], ["A", ""], [0.4, 0.5]) == ""


def test_other_labels_tones_and_sites_are_said() -> None:
    text = notes(["normal", "fracture"], ["A", "Z"], [0.4, 0.9])
    assert "1 films have labels that the network does not know (fracture)" in text
    assert "50% of the films are darker or brighter" in text and "trained on no film of Z" in text


def test_another_spelling_is_the_same_subject_label_and_site() -> None:
    """Digests of subjects are of plain spellings; earlier versions kept those of the list's."""
    text = notes(["Normal", "Opacity", "normal"], ["a", "A ", ""], [0.4] * 3, ("P01", "P 02", "p03"))
    assert text.startswith("2 films are of subjects that the network was trained on") and "\n" not in text
    texts = {name: np.full(2, "", object) for name in TEXTS} | {"label": np.array(["Opacity", "Normal"], object)}
    films = cohort_from(FilmIndex(texts, {}), np.zeros(2, bool), "normal")
    assert films.numbered_as(CLASSES).labels.tolist() == [1, 0]
