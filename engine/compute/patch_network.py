"""PatchNetwork: a trained network as the model of a plan, on the device and in the precision that the plan fixes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...stores.frame import Array
from .machine import available_threads, keep_freed_memory
from .resources import resources

if TYPE_CHECKING:
    from torch import Tensor

    from ...models.networks.clusterer import Clusterer
    from ...models.networks.encoders import Encoder
    from .gpu_stream import GpuStream


@dataclass(frozen=True, slots=True)
class PatchNetwork:
    """A trained autoencoder, perhaps as the encoder of a clusterer, as a plan's `Model`: one patch, one cell.

    On a CPU batches run in parallel, one thread each; each batch is computed alone, so their number does not change the
    result. On a GPU batches are computed one after the other (see gpu_stream.py).
    """

    autoencoder: Encoder
    patch: int
    step: int
    dtype: str = "float32"
    device: str = "cpu"
    clusterer: Clusterer | None = None
    """None where the network finds no clusters; else its autoencoder is the one above."""

    @property
    def stride(self) -> tuple[int, ...]:
        return (self.step,) * self.autoencoder.axes

    @property
    def halo(self) -> tuple[int, ...]:
        return ((self.patch - self.step) // 2,) * self.autoencoder.axes

    @property
    def clusters(self) -> int:
        """Number of fine clusters; 0 for an autoencoder."""
        return 0 if self.clusterer is None else self.clusterer.fine_clusters

    @property
    def readers(self) -> int:
        """Threads that read ahead: one on a CPU, whose cores the network needs; all cores beside a GPU."""
        return available_threads() if self.device == "cuda" else 1

    @property
    def outputs(self) -> Mapping[str, tuple[int, str]]:
        embedding = {"embedding": (self.autoencoder.embedding_size, "float16")}
        return {"assignment": (1, "uint8"), "confidence": (1, "float32"), **embedding} if self.clusters else embedding

    def __call__(self, batches: Iterator[Array]) -> Iterator[Mapping[str, Array]]:
        if self.device == "cuda":
            axes = len(self.stride)
            yield from (_cells(rows, axes) for rows in _stream(self).answers(batches))
            return
        count = available_threads()
        with ThreadPoolExecutor(count, initializer=_one_thread) as pool:
            ahead: deque[Future[Mapping[str, Array]]] = deque()
            for batch in batches:
                ahead.append(pool.submit(self._answer, batch))
                if len(ahead) > count + 1:  # one more than wait for a thread: two threads may end at once
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def look(self, batch_BCYX: Tensor) -> dict[str, Tensor]:
        """Results of stored patches (B, C, Y, X) on their device: one row per patch, in the stored types."""
        import torch

        bf16 = torch.autocast(batch_BCYX.device.type, torch.bfloat16, enabled=self.dtype == "bf16", cache_enabled=False)
        with torch.inference_mode(), bf16:
            if self.clusterer is None:
                return {"embedding": self.autoencoder.encode(batch_BCYX).to(torch.float16)}
            p_BK, embeddings_BF = self.clusterer(batch_BCYX)
            confidence_B, cluster_B = p_BK.float().max(1)
            return {
                "assignment": (self.clusterer.divide(cluster_B, embeddings_BF) + 1).to(torch.uint8).unsqueeze(1),
                "confidence": confidence_B.unsqueeze(1),
                "embedding": embeddings_BF.to(torch.float16),
            }

    def assigned_in_float32(self, patches_BCYX: Array) -> Array:
        """Fine clusters (B,), from 1, of stored patches, in float32 whatever the network's own precision is."""
        import torch

        device = next(self.autoencoder.parameters()).device
        rows = replace(self, dtype="float32").look(torch.from_numpy(np.ascontiguousarray(patches_BCYX)).to(device))
        assigned: Array = rows["assignment"][:, 0].cpu().numpy()
        return assigned

    def unlike(self, embeddings_BF: Array, assignment_B: Array) -> int:
        """Number of embeddings farther from their fine cluster's centre than 99 % of the training set; 0 without such."""
        import torch

        if self.clusterer is None or self.clusterer.fine is None or not len(assignment_B):
            return 0
        fine = self.clusterer.fine
        device = fine.centres_JF.device
        embeddings = torch.from_numpy(np.ascontiguousarray(embeddings_BF, np.float32)).to(device)
        return int(fine.unlike(embeddings, torch.from_numpy(assignment_B.astype(np.int64) - 1).to(device)).sum())

    def _answer(self, batch_BCYX: Array) -> Mapping[str, Array]:
        import torch

        rows = self.look(torch.from_numpy(np.ascontiguousarray(batch_BCYX)))
        return _cells({name: values.numpy() for name, values in rows.items()}, len(self.stride))


def bf16_gain() -> float:
    """Seconds of the default network in float32 over those in bf16, one thread, the least of three batches each.

    Instructions alone do not tell: some processors with AVX-512 BF16 multiply no faster than in float32. Memory is kept and
    batches are as large as in a run: new memory for the maps of float32 hides a third of the difference.
    """
    import torch

    from ...models.networks.autoencoder import Autoencoder

    network = PatchNetwork(Autoencoder().eval(), patch=128, step=64)
    batch_BCYX = torch.full((128, 3, 128, 128), 200, dtype=torch.uint8)
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = {"float32": [0.0] * 4, "bf16": [0.0] * 4}
        for i in range(4):
            for dtype, spent in seconds.items():
                began = time.perf_counter()
                replace(network, dtype=dtype).look(batch_BCYX)
                spent[i] = time.perf_counter() - began
    finally:
        torch.set_num_threads(threads)
    return min(seconds["float32"][1:]) / min(seconds["bf16"][1:])  # the first batch compiles


def _stream(network: PatchNetwork) -> GpuStream:
    """The network on this process's GPU, created once and kept between units."""
    from .gpu_stream import GpuStream, prepare_device

    def make() -> GpuStream:
        device = prepare_device(network.device)
        (network.autoencoder if network.clusterer is None else network.clusterer).to(device)
        return GpuStream(network.look, device)

    return resources().streams.get(network, make)


def _cells(rows: Mapping[str, Array], axes: int = 2) -> Mapping[str, Array]:
    """(B, F) -> (B, F, 1, 1): each patch is one cell."""
    return {name: values.reshape(*values.shape, *(1,) * axes) for name, values in rows.items()}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
