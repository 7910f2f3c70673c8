"""The stain of slides from a coarse read of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tile_engine.engine.steps.source_stain import source_stain, source_stains
from tile_engine.engine.steps.stain import MIN_TISSUE_MM2
from tile_engine.models.stains.alike import stain_groups
from tile_engine.models.stains.density import transmitted
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.slides.cohort import SlideEntry, find_slides

HE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])


def tissue(side: int) -> np.ndarray:
    amounts = np.random.default_rng(0).gamma(2, 0.4, (side // 8, side // 8, 2)).repeat(8, 0).repeat(8, 1)
    return np.moveaxis(transmitted(amounts.reshape(-1, 2) @ HE).reshape(side, side, 3), -1, 0)


def test_the_picture_that_is_read_is_coarse_and_small() -> None:
    reads: list[tuple[int, ...]] = []

    class Watched(MemorySource):
        def read(self, box: Any, level: int = 0) -> Any:
            reads.append(box.shape)
            return super().read(box, level)

    fine = tissue(2048)
    profile = source_stain(Watched(fine, fine[:, ::8, ::8].copy(), spacing=0.5))
    assert profile is not None and reads == [(256, 256)]


def test_images_that_are_no_brightfield_slides_have_none() -> None:
    assert source_stain(MemorySource(np.zeros((1, 64, 64), np.uint8))) is None
    assert source_stain(MemorySource(np.zeros((3, 64, 64), np.uint16))) is None
    assert source_stain(MemorySource(np.full((3, 64, 64), 250, np.uint8))) is None


def test_crops_of_one_section_are_stained_alike_and_a_file_that_cannot_be_read_has_no_stain(
    mini: Any, tmp_path: Path
) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0 cut short")
    entries = [*find_slides(mini.slides).entries, SlideEntry("x", tmp_path / "broken.tif", "broken.tif")]
    assert stain_groups(source_stains(entries, 8.0)).group.tolist() == [0, 0, 0, -1]
    assert source_stains([], None) == []


def test_a_stain_is_not_told_from_the_little_tissue_of_a_small_field() -> None:
    fields = [MemorySource(tissue(512), spacing=spacing) for spacing in (2.0, 8.0)]  # about 1 and 16 mm2
    found = [source_stain(field, min_mm2=MIN_TISSUE_MM2) for field in fields]
    assert found[0] is None and found[1] is not None and source_stain(fields[0]) is not None
