"""Evaluations of two runs side by side: every figure with its change, and none where the folds differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tile_engine
from tile_engine.errors import SettingsError


def test_figures_of_the_same_folds_are_compared_and_of_others_refused(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    run = finished("embed", "volumes")
    after = run.copy(tmp_path / "after")
    path = after / "models" / "evaluation.json"
    document = json.loads(path.read_text())
    figure = document["methods"]["onga"]["rmse %"]
    figure["mean"] += 1.0
    figure["folds"] = [figure["folds"][0] + 3.0, figure["folds"][1] - 1.0]
    path.write_text(json.dumps(document))
    table = tile_engine.compare_evaluations(run.out, after).set_index(["method", "figure"])
    changed = table.loc["onga", "rmse %"]
    assert changed["difference"] == pytest.approx(1.0) and (changed["folds_up"], changed["folds"]) == (1, 2)
    others = table.drop(("onga", "rmse %"))
    assert len(others) and not others["difference"].any() and not others["folds_up"].any()
    document["folds"].popitem()
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match="different folds") as error:
        tile_engine.compare_evaluations(run.out, after)
    assert error.value.code == "E_OTHER_FOLDS"
