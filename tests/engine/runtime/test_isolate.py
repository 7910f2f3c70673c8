"""A unit in a process of its own: what it raises there is raised here, as the same error."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tile_engine.engine.pipeline.unit import Unit
from tile_engine.engine.runtime import isolate
from tile_engine.errors import CorruptError, NoInputError, TileEngineError
from tile_engine.models.training.checkpoint import CheckpointError
from tile_engine.models.training.phases import DivergedError


class HeardChild:
    """A child that says one thing, as the process would."""

    said: tuple[str, Any] = ("", None)

    def __init__(self, work: Any, request: Any, *, alone: bool) -> None:
        assert alone, "what the unit harms stays in it"
        self.request = request

    def __enter__(self) -> HeardChild:
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    def hear(self, limit: float) -> tuple[str, Any]:
        return self.said


@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("the weights are those of another network"),
        DivergedError("the loss is no number"),
        CorruptError("a shard", "E_SHARD"),
        NoInputError("nothing"),
    ],
)
def test_an_error_keeps_its_class_code_and_exit_status(
    error: TileEngineError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, Any]] = []

    def fail(*args: Any) -> Any:
        raise error

    unit = Unit("tiles", "a/0-0", "a")
    monkeypatch.setattr(isolate, "load", fail)
    request = {"out": str(tmp_path), "unit": asdict(unit), "crashing": []}
    isolate.unit_in_child(request, lambda word, value: told.append((word, value)))
    monkeypatch.setattr(HeardChild, "said", told[0])
    monkeypatch.setattr(isolate, "Child", HeardChild)
    with pytest.raises(type(error)) as caught:
        isolate._attempt(tmp_path, unit, [], 1.0)
    assert type(caught.value) is type(error)
    assert (caught.value.message, caught.value.code) == (error.message, error.code)
    assert caught.value.exit_status == error.exit_status
