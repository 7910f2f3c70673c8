"""Applying a generator tile by tile: is it the whole image's result, in how much memory, and how fast beside the network alone?

    python benchmarks/harmonize_tiles.py                 # both, on a volume of 256 voxels a side
    python benchmarks/harmonize_tiles.py --side 1024     # half an hour on two cores
    python benchmarks/harmonize_tiles.py --exact         # agreement only

Agreement is the largest difference from the network on the whole image at once, relative to the range of values. Speed is a
volume in an OME-Zarr store, read, toned, sharpened and written by the code of `run harmonize`, against the sharpener alone
on tiles of random numbers in memory, in one process and with the same tiles. Memory is the process's peak, with libraries.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tile_engine.engine.compute.image_network import ImageNetwork
from tile_engine.engine.runs.harmonize.apply import TILES
from tile_engine.engine.runs.harmonize.normalized import Normalized, Units
from tile_engine.engine.runs.harmonize.toned import toned
from tile_engine.engine.runs.harmonize.version import Version
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.stitch import Stitch, cells_of, stitch
from tile_engine.models.harmonization.measures import Measures
from tile_engine.models.networks.generators import ResNetGenerator, ThreePlanes, UNetGenerator
from tile_engine.models.networks.sharpener import Sharpener
from tile_engine.models.networks.tone import Tone
from tile_engine.stores.frame import Array, Box, Frame
from tile_engine.stores.image import ImageSpec, StoredImage
from tile_engine.stores.memory import MemoryLayer, MemorySource

SHARD = 256


def trained(network: Any) -> Any:
    """Weights as after some training, and statistics that are not those of a new network."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("deviation"):
                tensor.copy_(torch.rand(tensor.shape, generator=source) + 0.5)
            elif tensor.ndim:
                tensor.add_(0.02 * torch.randn(tensor.shape, generator=source))
        getattr(network, "slices", network).last.weight.mul_(
            0.02
        )  # so that changes are a few per cent: where tanh saturates, rounding errors grow
    return network.eval().requires_grad_(False)


def agreement() -> None:
    """Print the largest difference between tiles and the whole image, for every generator and tile size."""
    generators = {
        "U-Net, 2 axes": (UNetGenerator(axes=2, width=8), (300, 400)),
        "ResNet-9, 2 axes": (ResNetGenerator(axes=2, width=8), (300, 400)),
        "U-Net, 3 axes": (UNetGenerator(axes=3, width=2), (288, 40, 48)),
        "ResNet-2 of slices": (ThreePlanes(ResNetGenerator(axes=2, width=2, blocks=2)), (64, 70, 60)),
        "sharpener, 3 axes": (Sharpener(axes=3, smooths=(0.0, 0.5, 0.0)), (96, 110, 90)),
    }
    print(
        f"{'largest difference / range':<28}{'reach':>8}" + "".join(f"{f'tile {tile}':>12}" for tile in (32, 64, 128))
    )
    for name, (network, shape) in generators.items():
        network = trained(network)
        source = MemorySource(np.random.default_rng(0).random((1, *shape)).astype(np.float32), background=0)
        truth, cells = whole(network, source), []
        for tile in (32, 64, 128):
            layer = MemoryLayer(source.frames[0], chunks=(SHARD,) * len(shape), channels=1, dtype="float32")
            model = ImageNetwork(network, 1, network.field.halo, network.field.stride, threads=2)
            for box in source.frames[0].box.cut((SHARD,) * len(shape)):
                stitch(Stitch(source, model, layer, everywhere(shape), tile, exact=True), box)
            cells.append(float(np.abs(layer.values - truth).max() / np.ptp(truth)))
        print(f"{name:<28}{network.field.reach:>8}" + "".join(f"{cell:>12.1e}" for cell in cells), flush=True)


def whole(network: Any, source: MemorySource) -> Array:
    """The network on the whole image, its ends rounded up to the stride."""
    shape, step = source.frames[0].shape, network.field.stride
    pixels, _ = cells_of(source, Box((0,) * len(shape), tuple(-(-n // step) * step for n in shape)))
    with torch.inference_mode():
        values = network(torch.from_numpy(pixels)[None])[0].numpy()
    return np.asarray(values[(slice(None), *map(slice, shape))])


def everywhere(shape: tuple[int, ...]) -> Mask:
    return Mask(np.ones((4,) * len(shape), bool), [n / 4 for n in shape], shape)


def speed(folder: Path, side: int, repeat: int) -> None:
    """Print cells per second of the run's own code and of the network alone, their ratio, and the peak of memory."""
    shape = (side,) * 3
    frame = Frame(("z", "y", "x"), shape, (1000.0,) * 3)
    stored = written_volume(folder / "volume", frame)
    sharpener = trained(Sharpener(axes=3))
    empty = np.zeros(0)
    middle = np.full(3, side / 2)
    measures = Measures(np.full(1, 500.0, np.float32), np.ones(1), middle, middle, empty, empty, empty, empty, empty)
    units = Units(measures.scale)
    shift = torch.full((1, 11), 0.02)
    spec = ImageSpec((frame,), 1, "int16", (SHARD,) * 3, (64,) * 3)
    version = Version(StoredImage.create(folder / "version", spec), stored, units, everywhere(shape))
    model = ImageNetwork(sharpener, 1, sharpener.field.halo, threads=torch.get_num_threads())
    tone = Tone()
    source = Normalized(stored, units, everywhere(shape), lambda values, box: toned(tone, values, box, measures, shift))
    work = Stitch(source, model, version, everywhere(shape), TILES[3], exact=True)
    before = peak()
    ratios = []
    for _ in range(repeat):
        alone = network_alone(sharpener)
        start = time.perf_counter()
        for box in frame.box.cut((SHARD,) * 3):
            stitch(work, box)
        rate = side**3 / (time.perf_counter() - start)
        ratios.append(rate / alone)
        print(
            f"run {rate / 1e6:.2f} Mvox/s, network alone {alone / 1e6:.2f} Mvox/s, ratio {ratios[-1]:.3f}", flush=True
        )
    print(f"median ratio {statistics.median(ratios):.3f}; peak memory {peak():.2f} GB ({before:.2f} GB before)")


def network_alone(network: Any, most: int = 16) -> float:
    """Cells per second of the network on tiles in memory, as many as a few units have."""
    tile = torch.rand(1, 1, *(TILES[3] + 2 * network.field.halo,) * 3)
    with torch.inference_mode():
        network(tile)
        start = time.perf_counter()
        for _ in range(most):
            network(tile)
    return most * TILES[3] ** 3 / (time.perf_counter() - start)


def written_volume(path: Path, frame: Frame) -> StoredImage:
    """A volume of smooth noise, shard by shard."""
    image = StoredImage.create(path, ImageSpec((frame,), 1, "int16", (SHARD,) * 3, (64,) * 3))
    draw = np.random.default_rng(0)
    block = draw.integers(0, 500, (1, SHARD, SHARD, SHARD)).astype(np.int16)
    for box in frame.box.cut((SHARD,) * 3):
        image.write(0, box, block[(slice(None), *[slice(0, n) for n in box.shape])])
    image.finish(name="volume")
    return StoredImage.open(path)


def peak() -> float:
    """Peak resident memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(".bench/harmonize"))
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if not arguments.exact:
        shutil.rmtree(arguments.folder, ignore_errors=True)
        speed(arguments.folder, arguments.side, arguments.repeat)
        shutil.rmtree(arguments.folder, ignore_errors=True)
    agreement()


if __name__ == "__main__":
    main()
