"""Which slides are clustered together: by the list, as decided before, or by colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.pipeline.documents import StainRuns
from tile_engine.engine.runs.cluster import apart
from tile_engine.engine.runs.cluster.apart import decide_stains, folder_of, groups_by_colour
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.steps import source_stain
from tile_engine.errors import SettingsError
from tile_engine.models.stains.density import transmitted
from tile_engine.models.stains.profile import StainProfile, stain_profile
from tile_engine.stores.inside import is_id
from tile_engine.stores.slides.cohort import Cohort, SlideEntry

HE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
DAB = np.array([[0.65, 0.70, 0.29], [0.27, 0.57, 0.78]])


def profile(vectors: np.ndarray, seed: int) -> StainProfile:
    amounts = np.random.default_rng(seed).gamma(2.0, 0.4, (4000, 2))
    found = stain_profile(transmitted(amounts @ vectors))
    assert found is not None
    return found


def cohort(**stains: str) -> Cohort:
    entries = [SlideEntry(i, Path(f"/none/{i}.svs"), f"{i}.svs", extra={"stain": s}) for i, s in stains.items()]
    return Cohort(tuple(entries), (), Path("/none"))


def decided(earlier: StainRuns | None = None, **stains: str) -> dict[str, tuple[str, ...]]:
    runs = decide_stains(cohort(**stains), ClusterSettings(), earlier).runs
    return {run.folder: tuple(run.slides) for run in runs}


def members(groups: dict[str, list[str]]) -> dict[str, str]:
    return {name: "".join(ids) for name, ids in groups.items()}


def test_the_list_decides_and_spaces_around_a_name_do_not_matter() -> None:
    assert decided(b="PAS", a="H&E ", c="H&E") == {"H-E": ("a", "c"), "PAS": ("b",)}
    assert decided(a="HE", b="HE") == {"HE": ("a", "b")}


@pytest.mark.parametrize(
    ("stains", "text"),
    [
        ({"a": "HE", "b": ""}, "names no stain for b.svs"),
        ({"a": "HE", "b": "he"}, "'HE' would lie|'he' would lie"),
        ({"a": "maps", "b": "HE"}, "another meaning"),
        ({"a": "HE", "b": "Run.json"}, "another meaning"),
        ({"a": "lock.json", "b": "report.html"}, "another meaning"),
    ],
)
def test_a_list_that_does_not_say_which_slides_belong_together_is_refused(stains: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text) as refused:
        decided(**stains)
    assert refused.value.code == "E_STAINS"


@pytest.mark.parametrize("name", ["H&E", "../../etc", " Ki-67 (clone 3)", "苏木精", "...", "x" * 99])
def test_every_name_makes_a_plain_folder(name: str) -> None:
    assert is_id(folder_of(name)) and len(folder_of(name)) <= 40


def test_colours_decide_and_slides_without_any_go_with_the_largest_group() -> None:
    profiles = {"a": profile(DAB, 0), "b": profile(HE, 1), "c": None, "d": profile(HE, 2)}
    assert members(groups_by_colour(profiles)) == {"stain-1": "a", "stain-2": "bcd"}
    assert groups_by_colour({"a": None, "b": None}) == {"stain-1": ["a", "b"]}


def test_a_group_keeps_its_name_when_slides_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"b": profile(HE, 1), "c": profile(DAB, 0)}
    monkeypatch.setattr(source_stain, "source_stains", lambda entries, mpp: [known[e.id] for e in entries])
    earlier = decide_stains(cohort(b="", c=""), ClusterSettings(), None)
    assert [run.name for run in earlier.runs] == ["stain-1", "stain-2"]
    groups = groups_by_colour({"a": profile(DAB, 3), **known}, earlier)
    assert members(groups) == {"stain-2": "ac", "stain-1": "b"}
    groups = groups_by_colour({"a": profile(HE @ np.diag([1, 0.3, 2]), 3), **known}, earlier)
    assert members(groups) == {"stain-3": "a", "stain-1": "b", "stain-2": "c"}


def test_why_a_stain_is_not_told_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"a": profile(HE, 1), "b": "timeout", "c": profile(DAB, 0), "d": source_stain.TooLittle(0.5)}
    monkeypatch.setattr(source_stain, "source_stains", lambda entries, mpp: [answers[e.id] for e in entries])
    stains = decide_stains(cohort(a="", b="", c="", d=""), ClusterSettings(), None)
    assert (
        stains.untold == {"b": "timeout", "d": "tissue"}
        and stains.stained_mm2 == {"d": 0.5}
        and set(stains.largest.slides) > {"b", "d"}
    )


def test_a_decision_is_remembered_and_the_column_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: Any) -> Any:
        raise AssertionError("pixels are read")

    known = {"a": profile(HE, 1), "b": profile(DAB, 0)}
    monkeypatch.setattr(source_stain, "source_stains", lambda entries, mpp: [known[e.id] for e in entries])
    earlier = decide_stains(cohort(a="", b=""), ClusterSettings(), None)
    monkeypatch.setattr(source_stain, "source_stains", unread)
    assert decide_stains(cohort(a="", b=""), ClusterSettings(), earlier) is earlier
    assert decided(earlier, a="x", b="y") == {"x": ("a",), "y": ("b",)}
    assert apart.COLUMN == "stain"
