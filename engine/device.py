"""Device and precision: how a network is run here, so that its numbers are those that the plan fixed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..stores.frame import Array
from .workers import lanes

if TYPE_CHECKING:
    from ..models.clusterer import Clusterer


@dataclass(frozen=True, slots=True)
class PatchNetwork:
    """A trained clusterer as a plan's `Model`: one patch, one cell.

    Batches run side by side, one thread each, as many as the unit may keep busy: how many that are does not touch a bit
    of the result, because each batch is computed alone.
    """

    clusterer: Clusterer
    patch: int
    step: int
    dtype: str = "float32"

    @property
    def stride(self) -> tuple[int, ...]:
        return (self.step, self.step)

    @property
    def halo(self) -> tuple[int, ...]:
        return ((self.patch - self.step) // 2,) * 2

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        return {
            "assignment": (1, "uint8"),
            "confidence": (1, "float32"),
            "embedding": (self.clusterer.autoencoder.code, "float16"),
        }

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        count = lanes()
        with ThreadPoolExecutor(count, initializer=_one_thread) as pool:
            ahead: deque[Future[Mapping[str, Array]]] = deque()
            for batch in batches:
                ahead.append(pool.submit(self._answer, batch))
                if len(ahead) > count:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _answer(self, batch_BCYX: Array) -> Mapping[str, Array]:
        import torch

        from ..models.autoencoder import to_float

        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == "bf16"):
            p_BK, codes_BF = self.clusterer(to_float(batch_BCYX))
            confidence_B, cluster_B = p_BK.float().max(1)
        return {
            "assignment": (cluster_B.numpy() + 1).astype(np.uint8)[:, None, None, None],
            "confidence": confidence_B.numpy()[:, None, None, None],
            "embedding": codes_BF.float().numpy().astype(np.float16)[:, :, None, None],
        }


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
