"""Names of exported files: entities of the source in their order, one folder a subject, no two of the same name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tile_engine.engine.export.names import plain_names, source_names


def record(name: str, subject: str = "", subimage: str = "", **columns: str) -> Any:
    return SimpleNamespace(name=name, subject=subject, subimage=subimage, columns=columns)


def named(images: dict[str, Any], **more: Any) -> list[str]:
    return [name.named("clusters", "dseg", **more) for name in source_names(images).values()]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (
            record("sub-01/ses-02/anat/sub-01_ses-02_acq-hires_run-1_T1w.nii.gz", "sub-01"),
            "sub-01/ses-02/anat/sub-01_ses-02_acq-hires_run-1_desc-clusters_dseg",
        ),
        (
            record("sub-01/func/sub-01_task-rest_bold.nii.gz/t=3", "sub-01", "t=3"),
            "sub-01/func/sub-01_task-rest_desc-clusters_dseg",
        ),
        (
            record("deep/sub-7_space-MNI_desc-preproc_T1w.nii", "7"),
            "sub-7/anat/sub-7_space-MNI_desc-preprocClusters_dseg",
        ),
        (record("brain 1.nii.gz", "Fall 7"), "sub-Fall7/anat/sub-Fall7_desc-clusters_dseg"),
        (record("x.mgz", "s1", session="ses-b"), "sub-s1/ses-b/anat/sub-s1_ses-b_desc-clusters_dseg"),
    ],
)
def test_a_name_follows_the_source(image: Any, name: str) -> None:
    assert named({"a": image}) == [name]


def test_another_grid_is_said_before_the_description() -> None:
    images = {"a": record("sub-01_label-WM_T1w.nii.gz", "sub-01")}
    assert named(images, resolution="layer") == ["sub-01/anat/sub-01_res-layer_label-WM_desc-clusters_dseg"]


def test_images_of_one_name_are_told_apart_by_their_ids() -> None:
    images = {
        "sub-01-T1w-11": record("sub-01_acq-a_T1w.nii.gz", "sub-01"),
        "sub-01-FLAIR-22": record("sub-01_acq-a_FLAIR.nii.gz", "sub-01"),
        "b-33": record("b.nii", "sub-02"),
    }
    assert [name.rpartition("/")[2] for name in named(images)] == [
        "sub-01_acq-asub01T1w11_desc-clusters_dseg",
        "sub-01_acq-asub01FLAIR22_desc-clusters_dseg",
        "sub-02_desc-clusters_dseg",
    ]


def test_subjects_never_share_a_folder() -> None:
    names = named({"a": record("a.nii", "p 1"), "b": record("b.nii", "P1"), "c": record("c.nii", "Ü")})
    assert len({name.split("/")[0].lower() for name in names}) == 3 and all(n[4].isalnum() for n in names)
    assert plain_names(["病"])["病"].isalnum()
