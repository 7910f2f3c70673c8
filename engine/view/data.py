"""data: cells of an image's overlays as a script, from which a page without a server colours tiles and tells what is where."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np

from ..show.encoded import heat_colours
from .tiles import MASK_COLOUR
from .viewer import Viewer


def cells_script(viewer: Viewer, of: tuple[int, int], overlays: list[dict[str, Any]]) -> bytes:
    """`TE.cells("RUN-IMAGE", {overlay: cells})` of an image (run, image): uint8 by rows, by zlib, in base64."""
    cells = {}
    for overlay in overlays:
        grid = viewer.grid(*of, overlay["number"])
        packed = zlib.compress(np.ascontiguousarray(grid.cells).tobytes(), 6)
        cells[overlay["number"]] = base64.b64encode(packed).decode()
    return f'"use strict";\nTE.cells("{of[0]}-{of[1]}", {json.dumps(cells)});\n'.encode()


def colours_of_page() -> dict[str, Any]:
    """Colours of values, [red, green, blue, opacity] of each of 256, and of a mask: clusters have those of the tree."""
    return {"values": heat_colours().tolist(), "mask": list(MASK_COLOUR)}
