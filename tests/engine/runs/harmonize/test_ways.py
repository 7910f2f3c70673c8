"""One miniature run with what a list may say: sites that become one, age and sex, masks of the brain, scans on other grids.

It is a CycleGAN's, applied in bfloat16; what it says on the way is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.api.running import run
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs.harmonize import notices
from tile_engine.engine.runs.harmonize.documents import JUDGEMENT, GanRecord, JudgementDocument
from tile_engine.engine.runs.harmonize.gan import GAN
from tile_engine.engine.runs.harmonize.matching import Matching
from tile_engine.engine.runs.harmonize.pictured import own_scan, pictured
from tile_engine.engine.runs.harmonize.sites import sites_of
from tile_engine.engine.runs.harmonize.version import version_image
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.checkpoints import read_record

pytestmark = pytest.mark.nightly

LIST = """path,subject,site,split,age,sex,mask
case0.nii.gz,p,A,test,20,F,brain.nii.gz
case1.nii.gz,q,A,train,30,M,
case2.nii.gz,r,B,train,40,F,
case3.nii.gz,p,T,test,20,F,
case4.nii.gz,r,T,train,41,M,
case5.nii.gz,s,T,train,33,M,no-mask.nii.gz
moved.nii.gz,t,T,test,33,M,
twin.nii.gz,t,B,test,33,M,brain.nii.gz
other.nii.gz,u,C,,20,F,
nowhere.nii.gz,v,,,20,F,
"""
SETTINGS = {
    **{"from_": "A,B", "to": "T", "baselines": False},
    **{"generator": "unet", "slices": True, "width": 2, "piece": 32, "tile": 32, "dtype": "bf16"},
}


@dataclass(frozen=True)
class Harmonization:
    """A finished run, and what it said."""

    job: Any
    events: list[Event]

    def texts(self, kind: str) -> str:
        return "\n".join(event.text for event in self.events if event.kind == kind)


@pytest.fixture(scope="module")
def harmonization(cohorts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Harmonization:
    import nibabel

    root = tmp_path_factory.mktemp("ways")
    for path in cohorts["volumes"].parent.glob("*.nii.gz"):
        (root / path.name).symlink_to(path)
    image = nibabel.load(root / "case5.nii.gz")
    values = np.asarray(image.dataobj)
    for number, name in enumerate(("twin", "other", "nowhere", "moved"), 1):
        affine = image.affine.copy()
        affine[:3, 3] += 4.0 * (name == "moved")
        nibabel.save(nibabel.Nifti1Image(values + np.int16(number), affine), root / f"{name}.nii.gz")
    brain = np.zeros(values.shape, np.uint8)
    brain[8:-8, 8:-8, 8:-8] = 1
    nibabel.save(nibabel.Nifti1Image(brain, image.affine), root / "brain.nii.gz")
    (root / "no-mask.nii.gz").write_bytes(b"no mask")
    (root / "list.csv").write_text(LIST)
    events: list[Event] = []
    options = RunOptions(cluster=ClusterOptions(cluster="none"), report=events.append)
    settings = {"effort": 0.005, "threads": 1, "seed": 1, **SETTINGS}
    run("harmonize", {"volumes": root / "list.csv"}, root / "out", options=options, settings=settings)
    return Harmonization(load(root / "out"), events)


def test_sites_become_one_and_training_draws_people_alike_in_age_and_sex(harmonization: Harmonization) -> None:
    job = harmonization.job
    sites = sites_of(job)
    assert sites.sources == ("A", "B") and [len(sites.of_site[site]) for site in "ABT"] == [2, 2, 4]
    assert read_record(job, GAN, GanRecord).matched == {"A": ("age", "sex"), "B": ("age", "sex")}
    matching = Matching.between(job, sites.fitted("A"), sites.fitted("T"))
    (chances,) = matching.chances.values()  # of r (41, M) and s (33, M), for q (30, M)
    expected = np.exp(-(np.array([11.0, 3.0]) ** 2) / 50) + 1e-3
    np.testing.assert_allclose(chances, expected / expected.sum())


def test_versions_are_written_in_bfloat16_networks_and_the_dtype_of_images(harmonization: Harmonization) -> None:
    job = harmonization.job
    assert job.settings.dtype == "bf16"
    for image in sites_of(job).harmonized:
        own, version = job.stored(image), version_image(job, image)
        values = version.read(version.frames[0].box)
        assert version.dtype == own.dtype and (values != own.read(own.frames[0].box)).any()


def test_pairs_are_judged_inside_the_head_and_where_a_mask_is_named_inside_the_brain(
    harmonization: Harmonization,
) -> None:
    document = read_document(harmonization.job.folder, JUDGEMENT, JudgementDocument)
    page = harmonization.job.folder.report.read_text()
    for method in document.judgement.methods.values():
        assert set(method.pairs) == {"SSIM head", "PSNR head", "SSIM brain", "PSNR brain"}
        assert set(method.pairs["SSIM brain"].subjects) == {"p", "t"}
        assert method.pairs["PSNR brain"].subjects != method.pairs["PSNR head"].subjects
    assert "inside the head and inside the brain (of 2 people" in page and "PSNR brain" in page
    (reason,) = document.judgement.left_out
    assert reason.startswith("the brain of case5.nii.gz: its mask cannot be read") and reason[:50] in page


def test_a_scan_on_another_grid_is_drawn_aligned(harmonization: Harmonization) -> None:
    job = harmonization.job
    names = {job.slides[image].name: image for image in job.slides}
    values, covered, aligned = own_scan(job, names["twin.nii.gz"], names["moved.nii.gz"])
    truth, _ = pictured(job, names["twin.nii.gz"], job.stored(names["twin.nii.gz"]))
    assert aligned and values.shape == truth.shape
    assert np.corrcoef(values[0][covered], truth[0][covered])[0, 1] > 0.9
    _, whole, aligned = own_scan(job, names["case0.nii.gz"], names["case3.nii.gz"])
    assert whole.all() and not aligned


def test_the_command_line_says_who_takes_part_and_how_far_tiles_differ(harmonization: Harmonization) -> None:
    notes, warnings = harmonization.texts("note"), harmonization.texts("warning")
    assert "4 of 10 images are harmonized, training sees 4;" in notes
    assert "training sees 4 of 8 images; held out: by the column `split`" in notes
    assert "seams between tiles, the largest of 4 images: overlap 0, shift 0, gradient " in notes
    assert "as the list does not state their site: nowhere.nii.gz" in warnings
    assert "as --from and --to do not name their site C: other.nii.gz" in warnings
    assert "the brain of case5.nii.gz" in warnings


def test_visible_seams_and_coarser_levels_are_warnings(harmonization: Harmonization, monkeypatch: Any) -> None:
    job = harmonization.job
    differing = {"overlap": 0.02, "shift": 0.001, "gradient": -0.5}
    monkeypatch.setattr(notices, "seams_of", lambda job, image: differing)
    text, visible = notices.seam_note(job)
    assert visible and "overlap 0.02, shift 0.001, gradient -0.5. Tiles differ visibly" in text
    assert not notices.coarse_notice(job)
    monkeypatch.setattr(notices, "MOST_CELLS", 1000)
    assert notices.coarse_notice(job).startswith(
        "8 images have more than 0 million cells and are judged on a coarser level"
    )
