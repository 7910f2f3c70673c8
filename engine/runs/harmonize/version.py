"""version: the harmonized version of an image: its source in a generator's units, and the layer that takes what comes out.

```text
image -> units -> (tone of the light generator) -> tiles -> generator -> version: back in the image's units, dtype and mask
```
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....stores.array import Written
from ....stores.frame import Array, Box, Frame
from ....stores.image import ImageSpec, StoredImage
from ....stores.ours import IMAGE_KEYS
from ....stores.source import Source
from ...pipeline.job import Job
from ...pipeline.outputs import STORE, Output
from ...steps.convert.geometry import image_spec
from ...steps.version_names import FOLDER, version_name
from ...tiling.mask import Mask
from .normalized import Units
from .settings import HarmonizeSettings

VERSIONS = Output(f"{STORE}/layers/{FOLDER}", rf"zarr\.json|[A-Za-z0-9._-]+/{IMAGE_KEYS}")


def version_image(job: Job[HarmonizeSettings], image: str) -> StoredImage:
    """The version of an image, with levels, shards and dtype like the image's own."""
    spec: ImageSpec = image_spec(job, image)
    path = job.folder.slide(image) / "layers" / version_name(job.settings.to)
    return StoredImage.ensure(path, spec)


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A `Layer` that writes an image's version: outside the mask the image's own values."""

    stored: StoredImage
    image: Source
    units: Units
    mask: Mask

    @property
    def frame(self) -> Frame:
        return self.stored.frames[0]

    @property
    def chunks(self) -> tuple[int, ...]:
        return self.stored.shard(0)

    def write(self, box: Box, values: Array) -> list[Written]:
        """Write values (C, *box.shape), float32 in the generator's units; below the background's 0 there is nothing."""
        values = np.maximum(values, 0)
        own = self.image.read(box)
        inside = self.mask.cells(np.array(box.start), box.shape)
        kept = np.where(inside, self.units.back(values, self.stored.dtype), own)
        return [self.stored.write(0, box, kept)]
