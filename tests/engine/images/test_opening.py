"""What is told of a cohort from its files' headers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.engine.images import opening
from tile_engine.engine.images.look import inspect_slides_in_child
from tile_engine.engine.maintenance.describe import describe
from tile_engine.stores.slides.cohort import find_slides


def looked_at(items: list[Any]) -> list[Any]:
    """What a child would tell of the files, without one."""
    told: list[Any] = []
    inspect_slides_in_child(items, lambda word, value: told.append(json.loads(json.dumps(value))[1]))
    return told


@pytest.mark.parametrize(("spacing", "rejected"), [(0.5, ["E_TRUNCATED"]), (2.0, [])])
def test_a_slide_cut_short_is_rejected_by_its_tables_where_its_level_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacing: float, rejected: list[str]
) -> None:
    """`info` says of it what a run at the default spacing does. The coarser level, whole and in front, can still be run on."""
    path = tmp_path / "cut.tif"
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    options: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "metadata": None, "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.ascontiguousarray(noise[::4, ::4]), subfiletype=1, resolution=(5000, 5000), **options)
        tif.write(noise, resolution=(20000, 20000), **options)
    path.write_bytes(path.read_bytes()[:-200_000])
    monkeypatch.setattr(opening, "look_at_slides", looked_at)
    found = opening.inspect_slides(find_slides(path), mpp=None, spacing=spacing, limit=0.01)
    assert [one.code for one in found.rejected.values()] == rejected
    assert all("it ends before 17 of 64 tiles of level 0" in record.notes[-1] for record in found.slides.values())
    assert [code for code, _ in describe(path).problems] == ["E_TRUNCATED"]
    kept = opening.inspect_slides(find_slides(path), mpp=None, spacing=spacing, limit=0.5)
    assert not kept.rejected
