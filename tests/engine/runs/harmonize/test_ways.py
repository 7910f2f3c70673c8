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
from tile_engine.engine.api.commands import run
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.runs.harmonize.documents import JUDGEMENT, GanRecord, JudgementDocument
from tile_engine.engine.runs.harmonize.gan import GAN
from tile_engine.engine.runs.harmonize.matching import Matching
from tile_engine.engine.runs.harmonize.sites import sites_of
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.checkpoints import read_record
from tile_engine.stores.image import StoredImage

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
SETTINGS = {"from_": "A,B", "to": "T", "generator": "unet", "width": 2, "piece": 32, "tile": 32, "dtype": "bf16"}


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


def test_it(harmonization: Harmonization) -> None:
    print(harmonization.texts("note"))
    print(harmonization.texts("warning"))
    print(read_document(harmonization.job.folder, JUDGEMENT, JudgementDocument))
    print(read_record(harmonization.job, GAN, GanRecord).matched)
    assert 0
