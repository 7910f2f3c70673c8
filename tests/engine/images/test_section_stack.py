"""section_stack: where a section of a block has no pixels its channels are white, whatever its file states."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tile_engine.engine.images import section_stack as module
from tile_engine.engine.images.section_stack import stack_of_levels
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.warps.warp import Warp


def test_corners_outside_of_a_section_are_glass(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, moving = (SimpleNamespace(stain=stain, reference=stain == "HE") for stain in ("HE", "PanCK"))
    sections = {"HE": reference, "PanCK": moving}
    record = SimpleNamespace(reference=reference, section=sections.get, stains=("HE", "PanCK", "Ki67"))
    source = MemorySource(np.full((3, 40, 40), 90, np.uint8), background=0)
    turned = Warp.of_affine([[0.8, -0.6, 12.0], [0.6, 0.8, -8.0]])
    opened: Any = SimpleNamespace(section=lambda *_: source, warp=lambda *_: turned)
    monkeypatch.setattr(module, "resources", lambda: opened)
    stack = stack_of_levels(SimpleNamespace(slides={"one": record}), "one")  # type: ignore[arg-type]
    pixels = stack.read(stack.frames[0].box)
    assert (pixels[:3] == 90).all() and (pixels[6:] == 255).all()
    corners = pixels[3:6, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).all() and (pixels[3:6, 20, 20] == 90).all()
