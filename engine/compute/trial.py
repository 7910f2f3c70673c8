"""trial: a few steps of the autoencoder on random patches, to tell how fast this machine is before a run begins."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

import numpy as np

TRIAL_SECONDS = 0.5
"""Seconds of each of the trials, about; a training step that takes longer is scaled from a smaller one."""
COLD_SECONDS = 2.0
"""A first call that takes less is made again, however long it took: it prepares what later ones find."""
SMALL_BATCH, SMALLEST_BATCH = 8, 2


@cache
def trial(
    channels: int, patch: tuple[int, ...], threads: int, views_of: Callable[[float], Any]
) -> tuple[float, float, float]:
    """Seconds of a training step of the autoencoder, of a view that is drawn and embedded, and of a patch that one thread
    embeds, on random patches."""
    import torch

    from ...models.networks.autoencoder import Autoencoder
    from ...models.seeds import generator
    from ...models.training.reconstruction import Reconstruction

    batch = 64  # of `budget`
    axes = len(patch)
    patches = np.random.default_rng(0).integers(0, 255, (batch, channels, *patch), np.uint8)
    network = Autoencoder(channels, patch[0], source=generator(0, "trial"), axes=axes, pooled=axes == 2)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        phases = {n: Reconstruction(network, patches, 4, n, views=views_of(1.0)) for n in (SMALL_BATCH, batch)}
        phases[SMALL_BATCH].step(0)  # the first one prepares
        step = _seconds(lambda: phases[SMALL_BATCH].step(1)) * batch / SMALL_BATCH
        if step < TRIAL_SECONDS:
            step = _seconds(lambda: phases[batch].step(0))
        with torch.inference_mode():
            few, draw_view = torch.from_numpy(patches[:SMALL_BATCH]).float() / 255, views_of(1.0)
            network.encode(few)
            view = _seconds(lambda: network.encode(draw_view(few, generator(0, "trial")))) / SMALL_BATCH
            torch.set_num_threads(1)
            embed = _seconds(lambda: network.encode(few)) / SMALL_BATCH
    finally:
        torch.set_num_threads(before)
    return step, view, embed


_measured: dict[Hashable, tuple[float, float]] = {}


_steps: dict[Hashable, float] = {}


def step_seconds(key: Hashable, phase_of: Callable[[], Any], threads: int) -> float:
    """Seconds of a step of a training phase, which `phase_of` makes on random images; measured once for a key and threads."""
    if (key, threads) not in _steps:
        import torch

        before, phase = torch.get_num_threads(), phase_of()
        try:
            torch.set_num_threads(threads)
            _steps[key, threads] = _seconds(lambda: phase.step(0))
        finally:
            torch.set_num_threads(before)
    return _steps[key, threads]


def passes(key: Hashable, network_of: Callable[[], Any], image: tuple[int, ...], threads: int) -> tuple[float, float]:
    """Seconds of a training step and of a forward pass, for each image (C, *sides), on random images.

    A network of another `key`, number of threads or image is measured anew.
    """
    if (key, image, threads) not in _measured:
        _measured[key, image, threads] = _passes(network_of(), image, threads)
    return _measured[key, image, threads]


def _passes(network: Any, image: tuple[int, ...], threads: int) -> tuple[float, float]:
    import torch

    images = torch.from_numpy(np.random.default_rng(0).random((SMALLEST_BATCH, *image), np.float32))

    def step(images: torch.Tensor) -> None:
        outputs = network.train()(images)
        parts = outputs if isinstance(outputs, tuple) else (outputs,)
        torch.autograd.backward(torch.stack([part.square().mean() for part in parts]).sum())

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        train = _seconds(lambda: step(images)) / len(images)
        if train * SMALL_BATCH < TRIAL_SECONDS:  # a batch is faster than its images one by one
            images = images.repeat(SMALL_BATCH // SMALLEST_BATCH, *[1] * len(image))
            train = _seconds(lambda: step(images)) / len(images)
        with torch.inference_mode():
            network.eval()
            forward = _seconds(lambda: network(images)) / len(images)
    finally:
        torch.set_num_threads(before)
    return train, forward


def busy() -> float:
    """How much longer work of one core takes than on an idle machine, by what waits for its cores; at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)) if hasattr(os, "getloadavg") else 1.0


def _seconds(work: Callable[[], Any]) -> float:
    """Seconds of a call: the least of up to five within `TRIAL_SECONDS`, and of two at least where the first one is short."""
    times: list[float] = []
    while not times or (len(times) < 5 and sum(times) < TRIAL_SECONDS) or (len(times) == 1 and times[0] < COLD_SECONDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
