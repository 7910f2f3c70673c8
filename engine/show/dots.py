"""dots: an image whose pixels are the dots of its figure, drawn as it is: matplotlib would sample it twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.image import BboxImage
from matplotlib.transforms import IdentityTransform


class DotsImage(BboxImage):
    """An image in a box. Where it is 8-bit RGB and has as many pixels as the box has dots, nothing is sampled."""

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """RGBA, last row first; where its first dot lies, from the left and from below; and no transform."""
        rgb, box = np.asarray(self.get_array()), self.get_window_extent(renderer)
        left, below, across, up = np.rint(box.bounds).astype(int).tolist()
        is_same = rgb.dtype == np.uint8 and rgb.shape == (up, across, 3) and magnification == 1.0
        if not is_same or not np.allclose(box.bounds, (left, below, across, up), atol=1e-3):
            return super().make_image(renderer, magnification, unsampled)
        rgba = np.full((up, across, 4), 255, np.uint8)
        rgba[..., :3] = rgb[::-1]
        return rgba, left, below, IdentityTransform()
