"""The line that tells the size of a run before it begins."""

from __future__ import annotations

from tile_engine.engine.steps.estimate import FEW, Estimate

SIZES = {
    "slides": 1, "pixels": 10**6, "spacing": 8.0, "images": "slides", "amount": "1 MPix", "units": {}, "raw": 10**6,
    "ratio": 1.0, "disk": 10**6, "present": 0, "memory": 10**8,
}  # fmt: skip


def text(tiles: int, samples: int) -> str:
    return Estimate(**SIZES, tiles=tiles, samples=samples).text()


def test_a_run_of_a_few_tiles_is_warned_of_and_patches_that_overlap_are_said_to() -> None:
    assert "9 tiles at most, 12 patches to train on at most, which overlap;" in text(9, 12) and text(9, 12).endswith(
        FEW
    )
    assert "overlap" not in text(2158, 2000) and FEW not in text(2158, 2000)
    assert FEW not in text(9, 0), "a run that trains nothing needs no more"
