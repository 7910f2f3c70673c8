"""Sites of slides: each tile is named by the network that did not see the slide, and its evidence is laid where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tile_engine
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runs.sites.documents import EVALUATION, Evaluation
from tile_engine.engine.runs.sites.slides import owner_rows, patches_of
from tile_engine.engine.runs.sites.tiles import SiteNetwork
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.autoencoder import all_patches
from tile_engine.models.explanation.gradcam import evidence_maps
from tile_engine.models.networks.classifier import Classifier
from tile_engine.stores.array import StoredArray
from tile_engine.stores.image import StoredImage


@pytest.fixture(scope="module")
def out(finished: Callable[[str, str], Any]) -> Path:
    return Path(finished("sites", "slides").out)


def test_a_slide_is_named_by_the_mean_over_its_tiles(out: Path) -> None:
    run = tile_engine.open_run(out)
    table = run.table("slides")
    judged = int(np.flatnonzero(np.isfinite(table.X).all(1))[0])
    slide = run.slides[judged]
    assert table.obs["fold"].tolist().count("split") == 1 and np.isnan(table.X).all(1).sum() == 2
    layer = StoredImage.open(load(out).folder.layer(slide, "site_probability"))
    values = layer.read(layer.frames[0].box)
    cells = values[:, (values > 0).any(0)]
    assert np.allclose(cells.sum(0), 1, atol=1e-5) and np.allclose(cells.mean(1), table.X[judged], atol=1e-5)


def test_cells_of_a_tile_hold_the_evidence_that_stands_there() -> None:
    network = Classifier(2, channels=3, axes=2, widths=(4, 4, 4)).eval()
    model = SiteNetwork(network, patch=64, step=32, threads=1, explains=True)
    patches = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8).numpy()
    (answer,) = model(iter([patches]))
    evidence, logits = evidence_maps(network, torch.from_numpy(patches).float() / 255)
    assert model.cell == 8 and model.stride == (8, 8) and model.halo == (16, 16)
    assert np.allclose(answer["gradcam"][:, 0], evidence[:, 2:6, 2:6], atol=1e-6)
    assert np.allclose(answer["site_probability"][..., 1, 3], torch.from_numpy(logits).softmax(1), atol=1e-6)


@pytest.mark.parametrize(("patch", "step", "cell"), [(64, 64, 8), (48, 36, 2), (80, 48, 8)])
def test_cells_divide_stride_and_halo(patch: int, step: int, cell: int) -> None:
    network = Classifier(2, channels=1, axes=2, widths=(4, 4, 4)).eval()
    model = SiteNetwork(network, patch=patch, step=step, threads=1, explains=True)
    (answer,) = model(iter([np.full((2, 1, patch, patch), 90, np.uint8)]))
    assert model.cell == cell and answer["gradcam"].shape == (2, 1, step // cell, step // cell)
    assert set(SiteNetwork(network, patch, step, 1, explains=False).outputs) == {"site_probability"}


def test_a_list_that_states_no_site_of_the_judged_slides_gets_a_report_without_figures(
    finished: Callable[[str, str], Any], tmp_path: Path
) -> None:
    job = load(finished("sites", "slides").copy(tmp_path / "out"))
    unstated = {
        image: replace(r, site="" if r.columns["split"] == "test" else r.site) for image, r in job.slides.items()
    }
    for name in ("evaluate", "report"):
        step = job.pipeline.steps[name]
        step.execute(replace(job, slides=unstated), Unit(name, name))
    document = read_document(job.folder, EVALUATION, Evaluation)
    assert document.counts == (0, 0) and document.shuffled == () and document.majority is None
    text = (job.folder.out / "report.html").read_text()
    assert "is not known: networks named the sites of 1 slides" in text and "Shuffled sites" not in text


def test_patches_of_a_slide_are_read_without_those_of_others(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = load(out)
    patches, owners, read = all_patches(job), owner_rows(job), StoredArray.read
    sizes: list[int] = []
    monkeypatch.setattr(StoredArray, "read", lambda array, box: sizes.append(box.shape[0]) or read(array, box))
    for row, slide in enumerate(job.slides):
        own = patches[owners == row]
        assert np.array_equal(patches_of(job, slide, 2), own[[0, -1]] / np.float32(255))
        assert sizes.count(1) == 2 and max(sizes) <= len(owners)
        sizes.clear()
