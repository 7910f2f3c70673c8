"""packed: bytes of a slide's block before and after compression, measured in a child process, as a damaged file may crash it.

It imports no settings and no step: what it imports, the run waits for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import SlideError
from ...stores.frame import Box
from ...stores.shard import Codec, encode_shard
from ...stores.slides.level_check import recorded_levels
from ...stores.slides.reader import open_slide
from ...stores.slides.view import at_spacing
from ..pipeline.modality import SLIDE_CHUNK
from ..workers.child import Say, all_of


def packed_in_child(items: list[Any], say: Say) -> None:
    all_of(_packed, items, say)


def _packed(item: list[Any]) -> tuple[int, int]:
    """Bytes of a block in the middle of a slide, raw and compressed."""
    path, mpp, part, spacing, shape, codec, recorded = item
    middle = tuple(n // 2 // SLIDE_CHUNK * SLIDE_CHUNK for n in shape)
    box = Box(middle, tuple(min(m + 4 * SLIDE_CHUNK, n) for m, n in zip(middle, shape, strict=True)))
    try:
        with open_slide(Path(path), mpp, part, recorded_levels(*recorded)) as slide:
            pixels = at_spacing(slide, spacing).read(box)
    except SlideError:
        return 0, 0
    chunk = (len(pixels), *(min(SLIDE_CHUNK, n) for n in box.shape))
    return pixels.nbytes, sum(map(len, encode_shard(pixels, chunk, Codec(codec))))
