"""The report's first sentence: how many kinds can be told apart, and how sure that is."""

from __future__ import annotations

from typing import Any

import pytest

from tile_engine.engine.runs.cluster.documents import HeadRecord, HeadRow, ReproducibilityRow, Validity
from tile_engine.engine.runs.cluster.settings import MAX_CLUSTERS, KSettings
from tile_engine.engine.runs.cluster.subjects.verdict import headline as of_subjects
from tile_engine.engine.runs.cluster.verdict import collapsed_heads, explanation, headline, range_notices


def validity(k: int, passing: tuple[int, ...], tried: tuple[int, int] = (2, 20), **changes: Any) -> Validity:
    rows = tuple(
        ReproducibilityRow(clusters=n, method="separate", rand=0.9, chance=0.1, jaccard=(0.9,), passes=n in passing)
        for n in range(tried[0], tried[1] + 1)
    )
    values = {
        "k": k,
        "clusters": max(k, 2),
        "method": "separate",
        "passing": passing,
        "range": (2, 20),
        "drawn": "slides",
        "reproducibility": rows,
        "indices": (),
    }
    return Validity(**{**values, **changes})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            validity(5, (4, 5, 6)),
            "5 kinds of tissue can be told apart reproducibly (4 to 6 come back), with gaps between them.",
        ),
        (
            validity(5, (5, 6, 7, 10)),
            "5 kinds of tissue can be told apart reproducibly (5 to 7 and 10 come back), with gaps between them.",
        ),
        (
            validity(5, (5,), method="continuous"),
            "5 kinds of tissue can be told apart reproducibly, as regions of a continuum",
        ),
        (
            validity(1, ()),
            "No separate kinds of tissue can be told apart reproducibly: no number of clusters from 2 to 20",
        ),
        (validity(1, (), (2, 7)), "from 2 to 7 comes back"),
        (validity(1, (), (2, 2)), "reproducibly: 2 clusters do not come back when"),
        (
            validity(14, (14,), (14, 14), range=(14, 14)),
            "14 kinds of tissue, as was set: a clustering into 14 comes back",
        ),
        (validity(14, (), (14, 14), range=(14, 14)), "a clustering into 14 does not come back reliably."),
        (validity(2, (2,), (2, 2)), "2 kinds of tissue can be told apart reproducibly"),
    ],
)
def test_the_first_sentence(found: Validity, said: str) -> None:
    assert said in headline(found, "slide", found.k)


def test_the_ends_of_the_range_are_no_choice() -> None:
    said = " ".join(explanation(validity(20, (20,))))
    assert "slides were drawn again" in said and "The range ends at 20: a larger K may be reproducible too" in said
    assert "The range begins at 5" in " ".join(explanation(validity(5, (5,), (5, 9), range=(5, 9))))
    assert "range begins" not in " ".join(explanation(validity(2, (2,)))), "there is no smaller K than 2"


def test_an_index_that_data_without_structure_reach_too_is_said_to_tell_little() -> None:
    found = validity(5, (5,))
    rows = tuple(
        row.model_copy(update={"chance": 0.96 if row.clusters in (2, 3) else 0.4}) for row in found.reproducibility
    )
    said = " ".join(explanation(found.model_copy(update={"reproducibility": rows})))
    assert "At K = 2 and 3 the index of data without structure is above 0.8" in said
    assert "without structure is above" not in " ".join(explanation(found))


def test_a_range_that_few_patches_cut_short_is_said() -> None:
    said = " ".join(explanation(validity(7, (7,), (2, 7))))
    assert "A K above 7 was not tried" in said and "range ends" not in said
    assert "region" in headline(validity(1, ()), "volume", 5)


@pytest.mark.parametrize(
    ("collapsed", "objective", "said"),
    [
        ((), "imsat", []),
        ((3,), "imsat", ["1 of 4 initialisations collapsed (seed 3).", "those of seed 1, which did not"]),
        ((0, 2), "temi", ["2 of 4 initialisations collapsed (seeds 0, 2).", "TEMI"]),
        ((0, 1, 2, 3), "scan", ["All 4 initialisations collapsed (seeds 0, 1, 2, 3).", "do not rely on them"]),
        ((0, 1, 2, 3), "kmeans", []),
    ],
)
def test_seeds_whose_heads_collapsed_are_named(collapsed: tuple[int, ...], objective: str, said: list[str]) -> None:
    rows = tuple(
        HeadRow(
            clusters=5, seed=s, loss=0, effective=2, smallest=0, information=0, restarts=3, collapsed=s in collapsed
        )
        for s in range(4)
    )
    record = HeadRecord(
        sha256="",
        recipe={},
        threads=1,
        history=(),
        seed=1,
        objective=objective,
        heads=rows,
        agreement=None,
        baselines={},
    )
    texts = " ".join(caution.headline + " " + caution.text for caution in collapsed_heads(record))
    assert all(words in texts for words in said) and bool(texts) == bool(said)


def test_another_level_that_is_shown_is_said_in_the_first_sentence() -> None:
    found = validity(5, (4, 5, 6))
    assert headline(found, "volume", 4).endswith(
        "This report shows 4 clusters, as was chosen: a number that comes back, too."
    )
    assert "shows 9 clusters, as was chosen: a number that was not shown to come back" in headline(found, "volume", 9)
    assert "This report shows" not in headline(found, "volume", 5)
    assert headline(validity(1, ()), "volume", 3).endswith("The map shows 3 clusters all the same.")
    fixed = validity(14, (14,), (14, 14), range=(14, 14))
    assert "14 kinds of region, as was set" in headline(fixed, "volume", 6) and "shows 6" in headline(
        fixed, "volume", 6
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (validity(20, (20,)), "20 is the largest number of clusters that was tried"),
        (validity(5, (5,), (5, 9), range=(5, 9)), "5 is the smallest number of clusters that was tried"),
        (
            validity(7, (7,), (2, 7)),
            "7 is the largest number of clusters that could be tried: patches are too few for more",
        ),
        (validity(80, (80,), (60, 80), range=(60, 80)), "80 is the largest number of clusters that was tried"),
        (validity(100, (100,), (90, 100), range=(90, 100)), ""),
        (validity(5, (4, 5)), ""),
        (validity(14, (14,), (14, 14), range=(14, 14)), ""),
    ],
)
def test_an_end_of_the_range_is_warned_of(found: Validity, said: str) -> None:
    notices = range_notices(found)
    assert len(notices) == bool(said) and all(notice.startswith(said) for notice in notices)


def test_a_larger_range_that_is_advised_is_one_that_a_run_takes() -> None:
    [notice] = range_notices(validity(80, (80,), (60, 80), range=(60, 80)))
    assert notice.endswith(f"--k 60-{MAX_CLUSTERS}") and KSettings.model_validate({"k": f"60-{MAX_CLUSTERS}"})


def test_groups_of_another_level_than_the_recommended_are_said() -> None:
    found = validity(3, (3, 4), method="ward")
    assert "This report shows" not in of_subjects(found, 3)
    assert of_subjects(found, 4).endswith("This report shows 4 groups, as was chosen: a number that comes back, too.")
    fixed = validity(3, (3,), (3, 3), range=(3, 3))
    assert of_subjects(fixed, 2).endswith("as was chosen: a number that was not shown to come back.")
    assert of_subjects(found, 1).endswith("This report shows all subjects as one group.")
