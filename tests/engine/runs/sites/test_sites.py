"""Sites of volumes: one finished miniature run, and what it leaves; figures and controls on cases made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.pipeline.record import rejection_of_image
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.sites.cautions import cautions_of
from tile_engine.engine.runs.sites.check_maps import checked_images
from tile_engine.engine.runs.sites.documents import EVALUATION, EXPLANATIONS, Evaluation, Explanations
from tile_engine.engine.runs.sites.evaluate import (
    BASELINE,
    DISCRIMINANT,
    HEADER,
    NETWORK,
    evaluation,
    probabilities_of_volumes,
)
from tile_engine.engine.runs.sites.explain import prepared_cells
from tile_engine.engine.runs.sites.folds import fold_by_image, fold_of, folds_of
from tile_engine.engine.runs.sites.networks import load_network
from tile_engine.engine.runs.sites.rows import store_features, stored_features
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.manifest import update_rejected
from tile_engine.models.explanation.gradcam import evidence_maps
from tile_engine.models.networks.autoencoder import to_float
from tile_engine.stores.image import StoredImage


@pytest.fixture(scope="module")
def out(finished: Callable[[str, str], Any]) -> Path:
    return Path(finished("sites", "volumes").out)


@pytest.fixture(scope="module")
def job(out: Path) -> Job[Any]:
    return load(out)


@pytest.fixture(scope="module")
def document(job: Job[Any]) -> Evaluation:
    return read_document(job.folder, EVALUATION, Evaluation)


def test_the_table_holds_what_is_named_for_each_volume(out: Path, job: Job[Any]) -> None:
    table = tile_engine.open_run(out).volumes
    assert table.X.shape == (6, 2) and np.allclose(table.X.sum(1), 1, atol=1e-5)
    assert table.obs["named"].tolist() == [list(table.var_names)[i] for i in table.X.argmax(1)]
    assert table.obs["fold"].tolist() == [fold_of(job, image) for image in job.slides]
    assert sorted(table.obs["age"]) == [20.0, 21.0, 22.0, 23.0, 24.0, 25.0], "a column of the list"


def test_figures_are_those_of_the_table(out: Path, document: Evaluation) -> None:
    obs = tile_engine.open_run(out).volumes.obs
    right = float((obs["named"] == obs["site"]).mean())
    figure = document.methods[NETWORK]
    assert figure.accuracy == pytest.approx(right) and figure.low <= right <= figure.high
    assert sum(map(sum, document.confusion)) == 6 and document.counts == (3, 3)
    assert sum(row[i] for i, row in enumerate(document.confusion)) == round(6 * right)
    assert set(document.methods) == {NETWORK, BASELINE, DISCRIMINANT, HEADER}


def test_controls_are_beside_the_figures(document: Evaluation) -> None:
    methods = {one.method: one.draws for one in document.shuffled}
    assert list(methods.values()) == [20, 20, 1] and not document.header_tells
    assert all(0 <= float(one.mean or 0) <= 1 for one in document.shuffled)
    assert document.headers["site0"] == "32 × 36 × 34 at 2 × 2 × 2 mm (3 of 3)"


def test_the_layer_lies_on_the_volume_in_register(job: Job[Any]) -> None:
    """It is the network's evidence: zero far from it, and its mass lies where the evidence's cells lie."""
    image = next(iter(job.slides))
    record = job.slides[image]
    layer = StoredImage.open(job.folder.layer(image, "gradcam"))
    heat = layer.read(layer.frames[0].box)[0]
    assert layer.frames[0] == StoredImage.open(job.folder.label(image, "tissue")).frames[0] and heat.min() >= 0
    network = load_network(job, fold_of(job, image))
    evidence = evidence_maps(network, to_float(prepared_cells(job, image)))[0][0]
    side = 2 ** len(network.blocks)
    assert heat.any() and evidence.max() > 0
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        centre = (evidence.sum(others) * (np.arange(evidence.shape[axis]) + 0.5)).sum() / evidence.sum() * side
        of_layer = (heat.sum(others) * (np.arange(heat.shape[axis]) + 0.5)).sum() / heat.sum()
        assert of_layer * layer.frames[0].spacing[axis] / record.spacing[axis] == pytest.approx(centre, abs=side / 2)


def test_what_was_found_out_about_maps_is_of_each_volume(job: Job[Any]) -> None:
    found = read_document(job.folder, EXPLANATIONS, Explanations)
    assert [one.image for one in found.maps] == list(job.slides)
    assert all(0 <= float(one.head or 0) <= 1 and one.brain is None for one in found.maps)
    assert [one.image for one in found.checks] == checked_images(job)
    for check in found.checks:
        assert len(check.deleted) == len(check.random) == len(found.shares) and check.deleted[0] == check.random[0]


def test_the_report_holds_pictures_and_controls(out: Path) -> None:
    text = (out / "report.html").read_text()
    for words in (
        "Shuffled sites",
        "Where the site is found",
        "Do the maps say what decides?",
        "named site0",
        "majority",
    ):
        assert words in text
    assert all((out / "maps" / f"{name}.png").stat().st_size > 5_000 for name in ("evidence", "deletion", "training"))


def test_networks_are_trained_on_all_but_the_judged(job: Job[Any], document: Evaluation) -> None:
    for name, (train, judged) in folds_of(job).items():
        assert document.folds[name].trained == len(train) and document.folds[name].judged == len(judged)


def test_a_header_that_tells_and_a_control_that_fails_are_cautioned(job: Job[Any], document: Evaluation) -> None:
    explanations = read_document(job.folder, EXPLANATIONS, Explanations)
    told = document.model_copy(
        update={
            "header_tells": True,
            "shuffled": tuple(one.model_copy(update={"p": 0.5}) for one in document.shuffled),
            "why": "too few",
        }
    )
    headlines = " ".join(headline for headline, _ in cautions_of(job, told, explanations))
    assert "header alone names the site" in headlines and "as well as the true ones" in headlines
    assert "fewer folds" in headlines and "have fewer than 10 subjects" in headlines


def test_the_others_keep_their_rows_when_an_image_is_rejected_after_the_training(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("sites", "volumes").copy(tmp_path / "out"))
    folds, probabilities, features = fold_by_image(job), probabilities_of_volumes(job), stored_features(job, "fold-1")
    gone = list(job.slides)[1]
    later = update_rejected(job, gone, rejection_of_image(job.slides[gone], "E_TIMEOUT", "too slow", "gradcam"))
    assert list(later.slides_before("networks")) == list(job.slides) and gone not in later.slides
    assert fold_by_image(later) == {image: fold for image, fold in folds.items() if image != gone}
    assert np.array_equal(probabilities_of_volumes(later), np.delete(probabilities, 1, 0))
    assert evaluation(later, probabilities_of_volumes(later)).images == 5
    # networks of an earlier version, whose folds moved then
    document, explanations = (
        read_document(job.folder, EVALUATION, Evaluation),
        read_document(job.folder, EXPLANATIONS, Explanations),
    )
    assert "judged by networks" not in next(cautions_of(later, document, explanations))[0]
    path = job.folder.out / "models" / "fold-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"folds_stay": False}))
    assert "judged by networks that saw their subjects" in next(cautions_of(later, document, explanations))[0]
    assert "judged by networks" not in next(cautions_of(job, document, explanations))[0], "none was rejected"
    rare = replace(job, settings=job.settings.model_copy(update={"cv": 4}))
    assert "judged by networks" in next(cautions_of(rare, document, explanations))[0], "sites of three images"
    store_features(later, "fold-1", stored_features(later, "fold-1"))  # as a repair does
    assert np.array_equal(stored_features(later, "fold-1"), np.delete(features, 1, 0))


def test_a_site_that_loses_all_its_images_after_the_training_keeps_its_number(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("sites", "volumes").copy(tmp_path / "out"))
    lost = [record for record in job.slides.values() if record.site == "site0"]
    for record in lost:
        job = update_rejected(job, record.id, rejection_of_image(record, "E_TIMEOUT", "too slow", "gradcam"))
    for name in ("evaluate", "check", "table", "report"):
        job.pipeline.steps[name].execute(job, Unit(name, name))
    document = read_document(job.folder, EVALUATION, Evaluation)
    assert document.sites == ("site0", "site1") and document.counts == (0, 3) and set(document.headers) == {"site1"}
    assert document.methods[HEADER].accuracy == 1  # the only site that is left to learn


def test_all_methods_are_judged_on_the_images_that_the_network_judges(job: Job[Any]) -> None:
    probabilities = probabilities_of_volumes(job)
    probabilities[0] = np.nan  # as of a slide without tissue
    found = evaluation(job, probabilities)
    rights = [5 * float(one.accuracy or 0) for one in found.methods.values()]
    assert sum(found.counts) == 5 and np.allclose(rights, np.round(rights))
