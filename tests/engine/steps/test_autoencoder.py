"""The autoencoder's training says where bf16 makes it slower."""

from __future__ import annotations

from pathlib import Path

import pytest

from tile_engine.engine.pipeline.progress import ProgressFile
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.steps import autoencoder


@pytest.mark.parametrize(
    ("dtype", "names", "warned"),
    [("bf16", (), True), ("bf16", ("AVX-512 BF16",), False), ("bf16", None, False), ("float32", (), False)],
)
def test_a_processor_without_instructions_for_bf16_is_warned_of(
    dtype: str, names: tuple[str, ...] | None, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder, "bf16_instructions", lambda: names)
    progress = ProgressFile(tmp_path)
    autoencoder.warn_of_bf16(ClusterSettings(training_dtype=dtype), progress)
    assert ("--training-dtype bf16" in progress.look().get("notice", "")) == warned
