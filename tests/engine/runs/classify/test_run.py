"""run classify on drawn films: no subject is judged by a network that saw it, all stages are judged, new films are too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine import open_run
from tile_engine.engine.api.running import run
from tile_engine.engine.api.trained_runs import run_to_apply
from tile_engine.engine.runs.classify.finished_stages import FinishedStages
from tile_engine.engine.runs.classify.networks import load_classifier
from tile_engine.engine.runtime.load import load
from tile_engine.errors import SettingsError


def test_a_finished_run_states_probabilities_figures_and_maps(finished: Callable[[str, str], Any]) -> None:
    run = open_run(finished("classify", "films").out)
    table, figures, store = run.table("films"), run.evaluation, run.films
    task = table.obs["task"] == "pretrain"
    assert table.n_obs == 270 and task.sum() == 8 and list(table.var_names) == ["normal", "opacity"]
    assert np.isnan(table.X[task]).all() and np.allclose(table.X[~task].sum(1), 1, atol=1e-5)
    assert set(table.obs["network"][~task]) == {"repeat-1-fold-1", "repeat-1-fold-2"}
    subjects = {n: set(table.obs["subject"][table.obs["network"] == n]) for n in set(table.obs["network"][~task])}
    assert not set.intersection(*subjects.values())
    label = table.obs["label"].to_numpy()
    own = table.X[np.flatnonzero(~task), [list(table.var_names).index(name) for name in label[~task]]]
    assert np.allclose(table.obs["loss"][~task], -np.log(own), rtol=1e-4)
    assert store["gradcam"].shape == store["films"].shape and float(store["gradcam"].max()) > 0
    assert figures["films"] == {"normal": 206, "opacity": 56} and figures["majority"] == pytest.approx(206 / 262)
    right = (table.obs["named"][~task].to_numpy() == label[~task]).mean()
    assert figures["network"]["accuracy"]["value"] == pytest.approx(right)
    assert np.trace(figures["confusion"]) == round(right * 262)


def test_stages_sites_and_simpler_methods_are_judged(finished: Callable[[str, str], Any]) -> None:
    figures = open_run(finished("classify", "films").out).evaluation
    assert list(figures["stages"]) == ["FC", "+B4", "+B3", "+B2", "+B1"]
    assert figures["stages"]["+B1"]["auroc"]["value"] == pytest.approx(figures["network"]["auroc"]["value"], abs=1e-6)
    assert {"logistic regression on 32 x 32 pixels", "mean_intensity", "packed_bytes"} <= figures["methods"].keys()
    assert {(c["train_site"], c["test_site"]) for c in figures["site_matrix"]} == {(a, b) for a in "AB" for b in "AB"}
    assert figures["confound"]["largest_site"] == pytest.approx(250 / 262)
    assert [c["first"] for c in figures["comparisons"]] == ["network", "+B1"]


def test_report_and_card_say_what_was_done(finished: Callable[[str, str], Any]) -> None:
    out = finished("classify", "films").out
    page, card = (out / "report.html").read_text(), (out / "models" / "card.md").read_text()
    assert "after stage FC" in page and "The most and the least expected films" in page and "judged at B" in page
    assert "down 4, up 4" in card and "no medical device" in card and "site-1" not in card


def test_new_films_are_judged_by_the_final_network(finished: Callable[[str, str], Any]) -> None:
    trained, run = (open_run(finished("classify", variant).out) for variant in ("films", "films-trained"))
    assert run.settings["side"] == 32
    for name in ("final.safetensors", "final.json"):
        assert (run.out / "models" / name).read_bytes() == (trained.out / "models" / name).read_bytes()
    table = run.table("films")
    network, record = load_classifier(load(trained.out), "final")
    from tile_engine.engine.runs.classify.networks import calibration_of
    from tile_engine.models.training.film_inference import logits_of

    films = run.films["films"].values[:, None]
    assert np.allclose(table.X, calibration_of(record.last)(logits_of(network, films)), atol=1e-5)
    assert set(table.obs["network"]) == {"final"} and run.evaluation["network"]["auroc"]["value"] > 0


def test_apply_starts_the_run_that_the_folder_is_of(finished: Callable[[str, str], Any], tmp_path: Path) -> None:
    assert run_to_apply(finished("classify", "films").out, "films") == "classify"
    assert run_to_apply(tmp_path, "slides") == "cluster"
    (tmp_path / "run.json").write_text(
        json.dumps(json.loads((finished("classify", "films").out / "run.json").read_text()) | {"command": "anomaly"})
    )
    with pytest.raises(SettingsError, match="only those of `run classify` can"):
        run_to_apply(tmp_path, "films")


def test_a_training_that_was_killed_between_stages_leaves_the_same_bytes(
    finished: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished("classify", "films")
    out = run.copy(tmp_path / "out")
    before = {n: (out / "models" / f"{n}.safetensors").read_bytes() for n in ("repeat-1-fold-1", "final")}
    for path in (out / "receipts" / "networks").glob("*.json"):
        path.unlink()
    saved: list[int] = []
    save = FinishedStages.save

    def killed(stages: FinishedStages, network: Any) -> None:
        save(stages, network)
        saved.append(len(stages.records))
        if saved == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(FinishedStages, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run.again(out)
    assert run.again(out).status == "done"
    assert saved[:4] == [1, 2, 3, 4]
    assert before == {n: (out / "models" / f"{n}.safetensors").read_bytes() for n in before}
    assert not list((out / "models").glob("*.training.*"))


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("normal,", "E_LABELS", "only 'normal' as labels"),
        ("normal,train", "E_SPLIT", "needs both train and test"),
    ],
)
def test_films_that_cannot_be_divided_are_refused_before_any_is_read(
    cohorts: dict[str, Path], tmp_path: Path, row: str, code: str, words: str
) -> None:
    folder = cohorts["films"].parent
    rows = [f"{folder}/{n}.png,p{n},{row}" for n in range(6)]
    (tmp_path / "list.csv").write_text("\n".join(["path,subject,label,split", *rows]) + "\n")
    with pytest.raises(SettingsError, match=words) as caught:
        run("classify", {"films": tmp_path / "list.csv"}, tmp_path / "out", settings={"side": 32})
    assert caught.value.code == code and not (tmp_path / "out" / "films.zarr").exists()
