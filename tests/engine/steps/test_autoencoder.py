"""The autoencoder's training says where bf16 makes it slower."""

from __future__ import annotations

import pytest

from tile_engine.engine.compute import gpu_stream
from tile_engine.engine.runs.cluster.settings import ClusterSettings
from tile_engine.engine.steps import autoencoder


@pytest.mark.parametrize(
    ("dtype", "names", "warned"),
    [("bf16", (), True), ("bf16", ("AVX-512 BF16",), False), ("bf16", None, False), ("float32", (), False)],
)
def test_a_processor_without_instructions_for_bf16_is_warned_of(
    dtype: str, names: tuple[str, ...] | None, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder, "bf16_instructions", lambda: names)
    notices = autoencoder.notices_of_bf16(ClusterSettings(training_dtype=dtype))
    assert ("--training-dtype bf16" in " ".join(notices)) == warned


@pytest.mark.parametrize("has", [True, False])
def test_a_gpu_without_bf16_is_warned_of(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_stream, "gpu_readiness", lambda: ("", has))
    monkeypatch.setattr(autoencoder, "bf16_instructions", lambda: ())
    assert bool(autoencoder.notices_of_bf16(ClusterSettings(training_dtype="bf16", device="cuda"))) != has


def test_the_arithmetic_of_training_decides_no_frozen_encoder() -> None:
    frozen = ClusterSettings(training_dtype="bf16", encoder="/weights.safetensors")
    assert frozen.trains_in == "float32" and frozen.deciding(("trains_in",)) == {}
    assert ClusterSettings(training_dtype="bf16").deciding(("trains_in",)) == {"trains_in": "bf16"}
