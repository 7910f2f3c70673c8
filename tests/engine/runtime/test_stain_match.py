"""`--match` of a folder that holds a run for each stain."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tile_engine.engine.pipeline.documents import StainRun, StainRuns, write_stain_runs
from tile_engine.engine.runtime.stain_match import check_old, matched, split
from tile_engine.errors import SettingsError
from tile_engine.stores.folder import Folder


def stains(*names: str, decided: Literal["column", "pixels"] = "column") -> StainRuns:
    runs = tuple(StainRun(name=name, folder=name.replace("&", "-"), slides={}) for name in names)
    return StainRuns(decided=decided, input="", runs=runs)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_stain_runs(Folder(tmp_path), stains("H&E", "PAS"))
    return tmp_path


def test_each_stain_is_matched_to_the_old_run_of_its_name(old: Path) -> None:
    settings, runs = split({"match": str(old), "k": 3})
    new = stains("PAS", "H&E")
    check_old(runs, new)
    assert settings == {"k": 3}
    assert [matched(settings, runs, run)["match"] for run in new.runs] == [str(old / "PAS"), str(old / "H-E")]


def test_a_match_with_one_run_stays(tmp_path: Path) -> None:
    for given in ({"match": str(tmp_path)}, {"match": None}, {"match": ""}, {}):
        settings, runs = split(given)
        assert settings == given and runs is None and matched(settings, runs, stains("PAS").runs[0]) == given


@pytest.mark.parametrize(
    ("new", "text"),
    [
        (None, "this command makes one run"),
        (stains("H&E", "Ki-67"), "has no run of stain Ki-67"),
        (stains("H&E", "PAS", decided="pixels"), "divide slides by their colours"),
    ],
)
def test_where_it_is_not_certain_the_folders_are_named(old: Path, new: StainRuns | None, text: str) -> None:
    _, runs = split({"match": old})
    with pytest.raises(SettingsError, match=text) as refused:
        check_old(runs, new)
    assert refused.value.code == "E_MATCH" and f"--match {old / 'H-E'} (stain H&E)" in refused.value.message
