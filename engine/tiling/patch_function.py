"""PatchFunction: a function of patches as a plan's `Model`; each patch becomes one cell of every layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ...stores.frame import Array


@dataclass(frozen=True, slots=True)
class PatchFunction:
    """What needs no training: means, textures, counts.

    >>> mean = PatchFunction(lambda patches: {"mean": patches.mean((2, 3))}, {"mean": (3, "float32")}, (32, 32), (16, 16))
    >>> mean.halo
    (8, 8)
    """

    function: Callable[[Array], Mapping[str, Array]]
    """Patches (B, C, *patch) -> for each name of `outputs`, values (B, channels)."""
    outputs: Mapping[str, tuple[int, str]]
    """Name -> (channels, dtype) of each layer."""
    patch: tuple[int, ...]
    """Cells of the image along a patch."""
    stride: tuple[int, ...]
    """Cells of the image from one patch to the next."""

    @property
    def halo(self) -> tuple[int, ...]:
        return tuple((patch - step) // 2 for patch, step in zip(self.patch, self.stride, strict=True))

    @property
    def readers(self) -> int:
        """Threads that read ahead; the function itself is done in one thread."""
        return 1

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        for batch in batches:
            values = self.function(batch)
            ones = (1,) * len(self.stride)
            yield {
                name: values[name].astype(dtype).reshape(len(batch), count, *ones)
                for name, (count, dtype) in self.outputs.items()
            }
