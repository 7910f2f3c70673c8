"""The stain of slides from a coarse read of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.steps import source_stain as reading
from tile_engine.engine.steps.source_stain import TooLittle, source_stain, source_stains
from tile_engine.engine.workers.child import GoneError, SilentError
from tile_engine.models.stains.alike import stain_groups
from tile_engine.models.stains.density import transmitted
from tile_engine.models.stains.profile import StainProfile
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
    found = source_stain(Watched(fine, fine[:, ::8, ::8].copy(), spacing=0.5))
    assert isinstance(found, TooLittle) and 0.3 < found.mm2 < 1.1
    assert reads == [(256, 256)]


def test_images_that_are_no_brightfield_slides_have_none() -> None:
    assert source_stain(MemorySource(np.zeros((1, 64, 64), np.uint8))) == "channels"
    assert source_stain(MemorySource(np.zeros((3, 64, 64), np.uint16))) == "channels"
    assert source_stain(MemorySource(np.full((3, 64, 64), 250, np.uint8))) == TooLittle(0)


def test_crops_of_one_section_are_stained_alike_and_a_file_that_cannot_be_read_has_no_stain(
    mini: Any, tmp_path: Path
) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0 cut short")
    entries = [*find_slides(mini.slides).entries, SlideEntry("x", tmp_path / "broken.tif", "broken.tif")]
    *found, broken = source_stains(entries, 8.0)
    profiles = [profile for profile in found if isinstance(profile, StainProfile)]
    assert stain_groups(profiles).group.tolist() == [0, 0, 0] and broken == "unreadable"
    assert source_stains([], None) == []


@pytest.mark.parametrize(("fate", "reason"), [(SilentError(), "timeout"), (GoneError(), "crash")])
def test_a_slide_that_ends_its_reader_or_takes_too_long_says_so(
    fate: GoneError, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reading, "each", lambda *_: [fate])
    assert source_stains([SlideEntry("x", tmp_path / "x.tif", "x.tif")], None) == [reason]


def test_a_stain_is_not_told_from_the_little_tissue_of_a_small_field() -> None:
    fields = [MemorySource(tissue(512), spacing=spacing) for spacing in (2.0, 8.0)]  # about 1 and 16 mm2
    found = [source_stain(field) for field in fields]
    assert isinstance(found[0], TooLittle) and 0.3 < found[0].mm2 < 1.1 and isinstance(found[1], StainProfile)
