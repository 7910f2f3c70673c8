"""An image whose results alone would fill the disk costs itself only; all others must fit together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.pipeline.record import ImageRecord, InspectedCohort
from tile_engine.engine.runtime import room
from tile_engine.engine.runtime.room import check_room, with_room
from tile_engine.errors import MachineError
from tile_engine.stores.folder import Folder

FREE = 1000


@dataclass(frozen=True)
class Plan:
    disk: int
    present: int = 0


def record(name: str, side: int) -> ImageRecord:
    return ImageRecord(
        name, f"{name}.tif", f"/x/{name}.tif", f"print of {name}", 0.5, "", "", {}, "tiff", 0.5, (side, side), 1, "uint8", 0,
        (side, side), (0.5, 0.5),
    )  # fmt: skip


def cohort(**sides: int) -> InspectedCohort:
    return InspectedCohort(0.5, {name: record(name, side) for name, side in sides.items()}, {}, (), Path("/x"))


@pytest.fixture
def fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[InspectedCohort, Any]]:
    """`with_room` of a pipeline whose results are a byte a pixel, on a disk of FREE bytes."""
    monkeypatch.setattr(room, "free_bytes", lambda path: FREE)
    looks = []

    def estimate(job: Any) -> Plan:
        looks.append(list(job.slides))
        return Plan(sum(r.shape[0] * r.shape[1] for r in job.slides.values()))

    pipeline: Any = SimpleNamespace(
        estimate=estimate, check=lambda job: None, modality=SimpleNamespace(smaller=", a coarser --spacing")
    )

    def fit(images: InspectedCohort, **options: Any) -> tuple[InspectedCohort, Any]:
        looks.clear()
        fitting, plan = with_room(pipeline, Folder(tmp_path), SimpleNamespace(), images, **options)  # type: ignore[arg-type]
        assert len(looks) <= 6
        return fitting, plan

    return fit


def test_a_cohort_that_fits_stays(fitted: Any) -> None:
    images = cohort(a=10, b=20)
    assert fitted(images) == (images, Plan(500))


def test_images_that_fill_the_disk_alone_are_rejected_by_name_and_the_others_go_on(fitted: Any, tmp_path: Path) -> None:
    fitting, plan = fitted(cohort(a=10, bomb=2**20, b=20, large=40))
    assert set(fitting.slides) == {"a", "b"} and plan == Plan(500)
    assert set(fitting.rejected) == {"bomb", "large"} and fitting.rejected["bomb"].code == "E_NO_ROOM"
    assert "bomb.tif" in fitting.rejected["bomb"].message and "1048576 x 1048576" in fitting.rejected["bomb"].message
    check_room(Folder(tmp_path), plan, SimpleNamespace(smaller=""))  # type: ignore[arg-type]


def test_images_that_fill_the_disk_together_only_are_refused_together(fitted: Any, tmp_path: Path) -> None:
    images = cohort(a=30, b=30)
    fitting, plan = fitted(images)
    assert fitting == images
    with pytest.raises(MachineError, match="would fill") as caught:
        check_room(Folder(tmp_path), plan, SimpleNamespace(smaller=""))  # type: ignore[arg-type]
    assert caught.value.code == "E_NO_ROOM"


def test_where_no_image_has_room_the_run_is_refused_as_a_whole(fitted: Any) -> None:
    images = cohort(a=100, b=200)
    assert fitted(images) == (images, Plan(50_000))


def test_images_of_a_run_that_has_begun_stay_in_it(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images = cohort(a=10, b=200)
    monkeypatch.setattr(room, "find_run", lambda folder: "a run")
    monkeypatch.setattr(room, "read_images", lambda folder: {"b": images.slides["b"]})
    assert fitted(images)[0] == images
    assert set(fitted(images, redo=True)[0].slides) == {"a"}


def test_an_image_without_room_stays_out_until_the_run_is_redone_or_its_file_changes(
    fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = cohort(a=10, b=20)
    rejection = room.Rejection("b.tif", "E_NO_ROOM", "b.tif: too large", fingerprint="print of b")
    monkeypatch.setattr(room, "find_run", lambda folder: "a run")
    monkeypatch.setattr(room, "read_images", lambda folder: {})
    monkeypatch.setattr(room, "read_rejected", lambda folder: {"b": rejection})
    assert set(fitted(images)[0].slides) == {"a"} and fitted(images)[0].rejected == {"b": rejection}
    assert set(fitted(images, redo=True)[0].slides) == {"a", "b"}
    changed = replace(images, slides={**images.slides, "b": replace(images.slides["b"], fingerprint="another")})
    assert set(fitted(changed)[0].slides) == {"a", "b"}


def test_a_small_file_that_states_a_giant_image_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tile_engine.engine.api.running import run

    slides = tmp_path / "slides"
    (slides / "giant.ome.zarr" / "0").mkdir(parents=True)
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.5]}]}
    array = {
        "zarr_format": 2, "shape": [2**21, 2**21], "chunks": [4096, 4096], "dtype": "|u1", "fill_value": 7, "order": "C",
        "compressor": None, "filters": None,
    }  # fmt: skip
    store = slides / "giant.ome.zarr"
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    (store / ".zattrs").write_text(json.dumps({"multiscales": [{"axes": axes, "datasets": [dataset]}]}))
    (store / "0" / ".zarray").write_text(json.dumps(array))
    (store / "0" / "0.0").write_bytes(bytes(16_000))
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)
    tifffile.imwrite(slides / "a.tif", pixels, resolution=(2e4, 2e4), resolutionunit="CENTIMETER", metadata=None)
    monkeypatch.setattr(room, "free_bytes", lambda path: 2**27)
    options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",))
    done = run("cluster", {"slides": slides}, tmp_path / "out", options=options, settings={"threads": 1})
    assert [r["code"] for r in done.rejected.values()] == ["E_NO_ROOM"] and "giant" in next(iter(done.rejected))
    assert len(done.images) == 1
