"""What a unit looks at before it works: whether its slide is still the file that the run began with. And what no run keeps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.pipeline.progress import Event
from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime.perform import perform_of
from tile_engine.errors import MachineError


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_slide_that_changes_after_the_start_is_rejected_alone(
    cohorts: dict[str, Path], tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of the environment is in what the run leaves, keys least of all."""
    slides, secret = Path(shutil.copytree(cohorts["slides"], tmp_path / "slides")), "a-secret-of-the-environment"
    for name in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "SOME_PASSWORD"):
        monkeypatch.setenv(name, secret)

    def report(event: Event) -> None:
        if event.kind == "progress" and change == "gone":
            (slides / "b.tif").unlink(missing_ok=True)
        elif event.kind == "progress":
            (slides / "b.tif").write_bytes((slides / "a.tif").read_bytes())
            os.utime(slides / "b.tif", (1, 1))

    how = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",), report=report)
    settings: dict[str, Any] = {"threads": 1, "patch": 32}
    run = tile_engine.cluster(slides, tmp_path / "out", options=how, **settings)
    (rejection,) = run.rejected.values()
    assert (rejection["name"], rejection["code"]) == ("b.tif", "E_CHANGED") and "--redo" in rejection["message"]
    assert sorted(name.partition("-")[0] for name in run.slides) == ["a", "c"]
    assert not [p for p in run.out.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def job_that_raises(error: Exception, out: Path, device: str) -> Any:
    """A run of one slide whose only step fails."""

    def execute(job: Any, unit: Unit) -> None:
        raise error

    step = SimpleNamespace(execute=execute, ranks=None, reads_source=lambda job: False)
    return SimpleNamespace(
        folder=SimpleNamespace(out=out),
        settings=SimpleNamespace(device=device),
        pipeline=SimpleNamespace(steps={"tiles": step}),
        slides={"a": object()},
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CUDA error: device-side assert triggered", "E_GPU_FAILED"),
        ("CUDA out of memory. Tried to allocate 2 GiB", "E_GPU_MEMORY"),
    ],
)
def test_a_gpu_that_fails_is_no_fault_of_the_slide(text: str, code: str, tmp_path: Path) -> None:
    """Whatever step it fails in: each further slide would be rejected, too."""
    unit = Unit("tiles", "a/tiles", "a")
    with pytest.raises(MachineError) as raised:
        perform_of(job_that_raises(RuntimeError(text), tmp_path, "cuda"), unit)
    assert raised.value.code == code
    for device, other in (("cpu", text), ("cuda", "a surprise")):
        rejected = perform_of(job_that_raises(RuntimeError(other), tmp_path, device), unit).rejected
        assert rejected is not None and rejected[0] == "E_UNIT_FAILED"
