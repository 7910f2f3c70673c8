"""The next unit of a slide is read while the network computes the last batches of the one before, unless it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tile_engine.engine.compute.resources import closed_resources, resources
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps import apply


def test_the_next_unit_of_a_slide_is_read_ahead_unless_it_is_done(
    finished: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load(finished("cluster", "slides").out)
    done = next(apply.tile_units(job, "tiles"))
    lacking = replace(done, name=f"{done.name}-lacking")
    plan = apply.plan_of(job, done.slide)

    def begun_after(*units: Any) -> bool:
        monkeypatch.setattr(apply, "_units_of", lambda *_: iter(units))
        apply._begin_next(job, plan, units[0])
        return len(resources().begun) == 1

    with closed_resources():
        assert not begun_after(done)
        assert not begun_after(lacking, done)
        assert begun_after(done, lacking)
        begun = apply._begun(job, plan, lacking)
        assert begun.block is not None and not len(resources().begun)
        with begun.block as block:
            assert block.sound(begun.tiles).all()
        assert begun.outcome.seconds["read"] > 0
        assert apply._begun(job, plan, lacking) is not begun
        monkeypatch.setattr(apply, "dask_worker", object)
        assert not begun_after(done, lacking), "another worker may do it"
