"""A finished miniature run: versions lie beside their images, in their units, with figures; wrong sites are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.api.commands import harmonize
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.runs.harmonize.documents import JUDGEMENT, JudgementDocument, LightRecord
from tile_engine.engine.runs.harmonize.judge import OURS
from tile_engine.engine.runs.harmonize.seams import seams_of
from tile_engine.engine.runs.harmonize.sites import sites_of
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.checkpoints import read_record
from tile_engine.engine.steps.convert.tissue import tissue
from tile_engine.engine.steps.version_names import version_name
from tile_engine.errors import SettingsError
from tile_engine.stores.image import StoredImage


@pytest.fixture(scope="module")
def job(finished: Callable[[str, str], Any]) -> Any:
    return load(finished("harmonize", "volumes").out)


def test_a_version_has_the_frame_levels_and_dtype_of_its_image(job: Any) -> None:
    sites = sites_of(job)
    assert sites.sources == ("site0",) and len(sites.harmonized) == 3
    for image in sites.harmonized:
        own = job.stored(image)
        version = StoredImage.open(job.folder.slide(image) / "layers" / version_name("site1"))
        assert version.frames == own.frames and version.dtype == own.dtype == "int16"
        values, before = version.read(own.frames[0].box)[0], own.read(own.frames[0].box)[0]
        inside = tissue(job, image).cells(np.zeros(3, int), own.frames[0].shape)
        assert np.array_equal(values[~inside], before[~inside]) and (values[inside] != before[inside]).any()
        assert abs(float(values[inside].mean()) / float(before[inside].mean()) - 1) < 0.5


def test_images_of_the_target_have_no_version(job: Any) -> None:
    for image in sites_of(job).of_site["site1"]:
        assert not (job.folder.slide(image) / "layers" / "harmonized").exists()


def test_tiles_agree(job: Any) -> None:
    seams = [seams_of(job, image) for image in sites_of(job).harmonized]
    assert all(one["overlap"] < 1e-5 and one["shift"] < 1e-5 for one in seams)


def test_the_judgement_compares_with_every_baseline(job: Any) -> None:
    judged = read_document(job.folder, JUDGEMENT, JudgementDocument).judgement
    assert set(judged.methods) > {OURS, "identity", "z-score"} and judged.cautions
    record = read_record(job, "light-1", LightRecord)
    assert record.distances[-1] <= record.distances[0] and record.images == (3, 3)


def test_the_report_shows_versions_and_figures(job: Any) -> None:
    page = job.folder.report.read_text()
    for text in ("layers/harmonized/site1", "Judgement", "Seams between tiles", "fitted on few people"):
        assert text in page


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"to": ""}, "name the site that images are to look like"),
        ({"to": "site9"}, "site0, site1"),
        ({"to": "site1", "from_": "site7"}, "there is no site 'site7'"),
        ({"to": "site1", "from_": "site1"}, "also among the sites"),
        ({"to": "site1", "slices": True}, "the light generator works on volumes"),
    ],
)
def test_wrong_sites_are_refused_before_work(
    settings: dict[str, Any], text: str, cohorts: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=text):
        harmonize(cohorts["volumes"], tmp_path / "out", **settings)
    assert not (tmp_path / "out" / "volumes").exists()


def test_names_of_sites_become_names_of_layers() -> None:
    assert version_name("Guy's / 1.5T") == "harmonized/Guy-s-1.5T"
    assert version_name("..").startswith("harmonized/site-")
    assert version_name("京都") != version_name("東京")
