"""Patches to train on come in the stated mix of whole and partial ones, and the receipt says how many were whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.sample.draw import LEAST_COVER, WHOLE_COVER, WHOLE_SHARE, mix
from tile_engine.stores.receipts import Ledger


def test_slides_have_a_mix_and_its_result_is_in_the_receipt(finished: Callable[[str, str], Any]) -> None:
    job = load(finished("cluster", "slides").out)
    assert mix(job, 100) == {WHOLE_COVER: round(100 * WHOLE_SHARE), LEAST_COVER: 100 - round(100 * WHOLE_SHARE)}
    (receipt,) = Ledger(job.folder.out, "draw", job.ledger_key("draw")).all()
    assert 0 < receipt.facts["whole"] <= receipt.facts["samples"]


def test_patches_of_volumes_come_as_they_are(finished: Callable[[str, str], Any]) -> None:
    assert mix(load(finished("cluster", "volumes").out), 100) == {LEAST_COVER: 100}
