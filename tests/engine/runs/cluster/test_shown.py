"""The clusters that are shown: levels, merges, names and colours of a small tree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.runs.cluster import checks, shown
from tile_engine.engine.runs.cluster.checks import check_shown
from tile_engine.engine.runs.cluster.documents import Clusters
from tile_engine.engine.runs.cluster.numbering import Numbering
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.runs.cluster.shown import ShownClusters, names_and_colours, shown_clusters
from tile_engine.engine.runs.cluster.table import RESERVED, column_names
from tile_engine.errors import SettingsError

TREE = Clusters(
    numbers=(4, 1, 3, 2, 5),
    parents=(0, 1, 1, 2, 3),
    recommended=3,
    trained=3,
    names=tuple(f"cluster {n}" for n in range(1, 6)),
    colours=("#000001", "#000002", "#000003", "#000004", "#000005"),
    tiles=(50, 30, 20, 10, 5),
    slides={"a": (50, 0, 20, 10, 0), "b": (0, 30, 0, 0, 5), "blank": (0, 0, 0, 0, 0)},
    unlike={},
)


def job(**settings: Any) -> Any:
    return SimpleNamespace(settings=ClusterSettings(**settings), folder=None)


@pytest.fixture(autouse=True)
def tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "clusters_document", lambda job: TREE)
    monkeypatch.setattr(checks, "find_document", lambda folder, name, model: TREE)
    monkeypatch.setattr(checks, "is_matched", lambda job: True)
    for module in (shown, checks):
        monkeypatch.setattr(module, "numbering_of", lambda job, tree: Numbering.own(tree))


def classes(*rows: tuple[int, str, str, int]) -> tuple[tuple[int, str, str, int], ...]:
    return rows


@pytest.mark.parametrize(
    ("level", "number", "tiles"),
    [
        (0, [0, 2, 1, 3, 2, 3], (50, 40, 25)),
        (2, [0, 2, 1, 1, 2, 1], (75, 40)),
        (5, [0, 4, 1, 3, 2, 5], (50, 30, 20, 10, 5)),
    ],
)
def test_the_level_of_the_settings_is_shown_else_the_recommended_one(
    level: int, number: list[int], tiles: tuple[int, ...]
) -> None:
    found = shown_clusters(job(level=level))
    assert found.level == (level or 3) and found.number.tolist() == number and found.number.dtype == np.uint8
    assert found.tiles == tiles and tuple(map(sum, zip(*found.slides.values(), strict=True))) == tiles
    assert len(found.names) == len(found.colours) == found.level and found.colours[1] == (0, 0, 2)
    assert np.isnan([share for _, _, share in found.legend_of(found.slides["blank"])]).all()


def test_where_no_level_is_reproducible_the_finest_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "clusters_document", lambda job: TREE.model_copy(update={"recommended": 1}))
    assert shown_clusters(job()).level == 5


def test_names_colours_and_merges_are_the_users() -> None:
    rows = classes((1, "Tumour", "", 0), (2, "", "#ff0000", 0), (3, "", "", 2), (5, "finer", "", 0))
    found = shown_clusters(job(classes=rows))
    assert found.names == ("Tumour", "cluster 2", "cluster 3") and found.colours[1] == (255, 0, 0)
    assert found.tiles == (50, 65, 0) and set(found.number.tolist()) == {0, 1, 2} and found.into == {3: 2}
    assert shown_clusters(job(classes=rows, level=5)).names[4] == "finer"
    assert names_and_colours(Numbering.own(TREE), job(classes=rows).settings)[0][4] == "finer", (
        "at every level of the report"
    )


def test_numbers_of_an_old_run_are_those_that_labels_lists_and_the_users_table_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Numbering.own(TREE).model_copy(update={"numbers": (4, 2, 7, 1, 8), "names": ("d", "b", "g", "a", "h")})
    monkeypatch.setattr(shown, "numbering_of", lambda job, tree: old)
    found = shown_clusters(job(classes=classes((7, "Gland", "#ff0000", 0), (1, "", "", 2))))
    assert found.numbers == (2, 4, 7) and found.names == ("b", "d", "Gland") and found.tiles == (40, 50, 25)
    assert found.number.tolist() == [0, 2, 4, 7, 2, 7] and found.colour_of[7] == (255, 0, 0)
    assert [number for number, _, _ in found.legend] == [2, 4, 7]
    finest = shown_clusters(job(classes=classes((1, "", "", 2)), level=5))
    assert finest.numbers == (1, 2, 4, 7, 8) and finest.tiles == (0, 40, 50, 20, 5), "1 is merged into 2"
    with pytest.raises(SettingsError, match=r"cluster 3, .* has 5 clusters: 1, 2, 4, 7, 8"):
        shown_clusters(job(classes=classes((3, "", "", 0))))


def test_a_merge_takes_effect_at_the_levels_that_have_both_clusters() -> None:
    rows = classes((2, "", "", 4))
    assert shown_clusters(job(classes=rows, level=3)).tiles == (50, 40, 25)
    assert shown_clusters(job(classes=rows, level=4)).tiles == (50, 0, 25, 40)


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"level": 6}, "E_LEVEL", "--level 6: the finest level of this run has 5 clusters"),
        ({"classes": classes((6, "a", "", 0))}, "E_CLASSES", "cluster 6"),
        ({"classes": classes((1, "", "", 9))}, "E_CLASSES", "cluster 9"),
        ({"classes": classes((1, "", "", 2), (2, "", "", 3))}, "E_CLASSES", "merges cluster 1 into 2"),
        ({"classes": classes((1, "", "", 2), (2, "", "", 1))}, "E_CLASSES", "itself merged"),
    ],
)
def test_what_the_tree_does_not_have_is_refused(settings: dict[str, Any], code: str, said: str) -> None:
    for act in (shown_clusters, lambda job: check_shown(job, ["labels", "report"])):
        with pytest.raises(SettingsError) as caught:
            act(job(**settings))
        assert caught.value.code == code and said in caught.value.message
    anew = ["heads", "order_clusters"]  # the tree is to be made anew, and may have it
    if said.startswith("merges") or said.startswith("itself"):
        with pytest.raises(SettingsError, match=said):
            check_shown(job(**settings), anew)
    else:
        check_shown(job(**settings), anew)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"level": 33}, "E_LEVEL"),
        ({"classes": classes((33, "a", "", 0))}, "E_CLASSES"),
        ({"level": 50, "k": 49}, "E_LEVEL"),
    ],
)
def test_what_no_tree_of_the_settings_can_have_is_refused_before_any_work(settings: dict[str, Any], code: str) -> None:
    for tree in ([], ["order_clusters"]):
        with pytest.raises(SettingsError) as caught:
            check_shown(job(**settings), tree)
        assert caught.value.code == code
    with pytest.raises(SettingsError, match=r"at most (32|49)"):
        check_shown(job(**settings), ["order_clusters"])
    check_shown(job(**settings | {"k": 50}), ["order_clusters"])


def test_more_clusters_than_patches_are_refused_before_any_work() -> None:
    with pytest.raises(SettingsError, match="up to 80 clusters of the 64 patches"):
        check_shown(job(k="2-80", samples=64), ["order_clusters"])


def test_columns_of_shares_have_a_name_each() -> None:
    def of(*names: str) -> list[str]:
        found = ShownClusters(len(names), tuple(range(1, len(names) + 1)), np.zeros(1, np.uint8), names, (), (), {}, {})
        return column_names(found, RESERVED | {"age"})

    assert of("gland", "fat") == ["gland", "fat"]
    assert of("gland", "gland") == ["gland (1)", "gland (2)"]
    assert of("tiles", "age", "a") == ["tiles (1)", "age (2)", "a"], "they are columns already"
