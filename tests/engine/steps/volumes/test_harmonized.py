"""Harmonized versions take the place of volumes; one without is refused, or keeps its original where it is of the site."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.runs.embed.settings import EmbedSettings
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.volumes.harmonized import check_harmonized, notices_of, values_of
from tile_engine.engine.steps.volumes.harmonized_run import harmonized_as_begun, read_harmonized
from tile_engine.errors import SettingsError, SlideError
from tile_engine.stores.array import StoredArray
from tile_engine.stores.image import ImageSpec, StoredImage


@pytest.fixture
def made(finished: Callable[[str, str], Any], tmp_path: Path) -> SimpleNamespace:
    """A finished run on volumes whose stores hold a version of each volume at site B: 500 less the volume; and its job."""
    run = finished("embed", "volumes")
    out = run.copy(tmp_path / "harmonized")
    job = load(out)
    for image, record in job.slides.items():
        values = job.stored(image).read(record.frame.box)
        spec = ImageSpec((record.frame,), 1, values.dtype.name, (256,) * 3, (64,) * 3)
        layer = StoredImage.create(job.folder.layer(image, "harmonized") / "B", spec)
        layer.write(0, record.frame.box, (500 - values).astype(values.dtype))
        layer.finish(name="B")
    settings = job.settings.model_copy(update={"harmonized": read_harmonized(out)})
    return SimpleNamespace(out=out, run=run, job=replace(load(run.out), settings=settings), images=list(job.slides))


def changed(made: SimpleNamespace, image: str, **fields: Any) -> Any:
    slides = made.job.slides
    return replace(made.job, slides={**slides, image: replace(slides[image], **fields)})


def test_versions_are_read_in_place_of_the_volumes(made: SimpleNamespace) -> None:
    check_harmonized(made.job)
    image = made.images[0]
    stored = made.job.stored(image).read(made.job.slides[image].frame.box)[0]
    np.testing.assert_array_equal(values_of(made.job, image), 500 - stored)
    plain = replace(made.job, settings=made.job.settings.model_copy(update={"harmonized": ()}))
    np.testing.assert_array_equal(values_of(plain, image), stored)
    assert notices_of(made.job) == ["6 volumes are read as harmonized to B"] and not notices_of(plain)


def test_a_volume_without_a_version_is_refused_unless_it_is_of_the_site(made: SimpleNamespace) -> None:
    image = made.images[2]
    (made.out / "volumes" / f"{image}.ome.zarr" / "layers" / "harmonized" / "B" / "zarr.json").unlink()
    with pytest.raises(SettingsError, match=r"case2\.nii\.gz") as error:
        check_harmonized(made.job)
    assert error.value.code == "E_HARMONIZED"
    of_site = changed(made, image, site="B")
    check_harmonized(of_site)
    stored = of_site.stored(image).read(of_site.slides[image].frame.box)[0]
    np.testing.assert_array_equal(values_of(of_site, image), stored)
    assert notices_of(of_site)[1] == "1 are of B and keep their original: case2.nii.gz"


def test_a_copied_file_is_found_by_name_if_its_values_are_the_same(made: SimpleNamespace) -> None:
    image = made.images[1]
    copied = changed(made, image, fingerprint="another")
    check_harmonized(copied)
    assert values_of(copied, image).mean() > 300 and "1 were found by name" in notices_of(copied)[-1]
    source = load(made.out)
    frame = source.slides[image].frame
    source.stored(image).write(0, frame.box, source.stored(image).read(frame.box) + 1)
    with pytest.raises(SlideError, match="another scan") as error:
        values_of(copied, image)
    assert error.value.code == "E_VERSION"


def test_a_version_on_another_grid_or_of_several_sites_is_refused(made: SimpleNamespace) -> None:
    image = made.images[0]
    moved = made.job.slides[image].origin[0] + 5000.0
    with pytest.raises(SettingsError, match="of another volume"):
        check_harmonized(changed(made, image, origin=(moved, *made.job.slides[image].origin[1:])))
    layers = made.out / "volumes" / f"{image}.ome.zarr" / "layers" / "harmonized"
    (layers / "B").rename(layers / "C")
    slides = made.out / "slides.json"
    slides.write_text(json.dumps(json.loads(slides.read_text())))  # read anew where it was written anew
    with pytest.raises(SettingsError, match=r"2 sites \(B, C\)"):
        check_harmonized(made.job)


def test_a_folder_that_is_no_run_is_refused_and_one_that_is_gone_is_as_recorded(
    made: SimpleNamespace, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone")
    with pytest.raises(SettingsError, match="holds no run"):
        check_harmonized(replace(made.job, settings=EmbedSettings(harmonized=gone)))
    assert read_harmonized(gone) == (gone, "")
    assert harmonized_as_begun((gone, ""), {"harmonized": [gone, "state"]}) == (gone, "state")
    check_harmonized(replace(made.job, settings=EmbedSettings(harmonized=(gone, "state"))))
    assert read_harmonized(made.out)[1] == read_harmonized(made.run.out)[1] != ""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no run"):
        read_harmonized(tmp_path / "empty")


def test_networks_see_the_harmonized_volumes(made: SimpleNamespace, tmp_path: Path) -> None:
    events: list[Any] = []
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert", "sample"), report=events.append)
    images = made.run.images["volumes"]
    run = tile_engine.embed(images, tmp_path / "out", harmonized=made.out, threads=1, options=options)
    assert any(e.kind == "warning" and "6 volumes are read as harmonized to B" in e.text for e in events)
    seen = StoredArray.open(run.out / "samples.zarr" / "patches").read_all()[:, 0].astype(float)
    before = StoredArray.open(made.run.out / "samples.zarr" / "patches").read_all()[:, 0].astype(float)
    inside = (seen > 0) & (before > 0)
    assert inside.any() and np.corrcoef(seen[inside], before[inside])[0, 1] < -0.5
