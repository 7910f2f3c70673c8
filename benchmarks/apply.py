"""apply: patches a second of the step that looks at every tile, beside its network fed from memory.

network   the network alone: batches that are in memory already, as large and on as many threads
engine    units of a plan, from a slide's store to stored layers: read, cut, network, write

Where there is a GPU a second table has the same on it: there `network` is one batch that lies on the card already.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
from slides import BIG, SMALL, Seconds, arguments, clocks, compare, slide, stored, table

from tile_engine.engine.compute.patch_network import PatchNetwork
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.runtime.load import load
from tile_engine.engine.steps.apply import BATCH, cell_frames, cells_along
from tile_engine.engine.steps.background import background_filler
from tile_engine.engine.steps.convert.tissue import tissue
from tile_engine.engine.tiling.execute import BegunUnit, begin, execute
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.plan import Plan, unchanged
from tile_engine.engine.tiling.samplers import grid, within
from tile_engine.engine.tiling.tile import Tiles
from tile_engine.models.networks.autoencoder import Autoencoder
from tile_engine.models.networks.cluster_heads import ClusterHead
from tile_engine.models.networks.clusterer import Clusterer
from tile_engine.stores.frame import Array, Box
from tile_engine.stores.image import ImageSpec, StoredImage, StoredLayer

CLUSTERS = 14


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, help="units a round, those with most tissue (default: 4; 1 if quick)")
    given = parser.parse_args()
    side = SMALL if given.quick else BIG
    run = stored(slide(side), given.scratch)
    try:
        plan = plan_of(load(run.out))
        plan.check()
        units = sorted(plan.units(), key=lambda unit: -count(plan, [unit]))[: given.units or (1 if given.quick else 4)]
        many = count(plan, units)
        in_bf16 = replace(plan, model=replace(plan.model, dtype="bf16"))
        work: dict[str, Callable[[], Seconds]] = {
            "the network alone": lambda: network_rate(plan.model, many),
            "apply": lambda: engine_rate(plan, units, many),
            "apply, background not filled": lambda: engine_rate(replace(plan, prepare=unchanged), units, many),
            "the network alone, bf16": lambda: network_rate(in_bf16.model, many),
            "apply, bf16": lambda: engine_rate(in_bf16, units, many),
        }
        rows = compare(work, given.repeat)
        found = on_card(plan, units, many, given.repeat)
    finally:
        shutil.rmtree(run.out)
    head = ("work", "patches/s", "of the first (goal 0.95)", "patches a processor second", "of the first")
    title = f"apply, {many} tiles of 128 x 128 every 64 pixels, {len(units)} units, batches of {BATCH}"
    table(title, head, rows)
    if found:
        table(f"{title}, on {card_name()}, bf16", head, found)


def on_card(plan: Plan, units: list[Box], many: int, repeat: int) -> list[tuple[str, ...]]:
    """Rows for the GPU of this machine; none without one."""
    import torch

    if not torch.cuda.is_available():
        return []
    network = replace(plan.model, dtype="bf16", device="cuda", clusterer=deepcopy(plan.model.clusterer))
    there = replace(plan, model=network)
    engine_rate(there, units[:1], 1)  # the network goes to the card, graphs are captured
    work: dict[str, Callable[[], Seconds]] = {
        "the network alone, data on the card": lambda: card_rate(network, many),
        "the network fed from memory": lambda: network_rate(network, many),
        "apply": lambda: engine_rate(there, units, many),
    }
    return compare(work, repeat)


def card_rate(network: PatchNetwork, many: int) -> Seconds:
    """The network's own speed: a graph of one batch, replayed; neither the bus nor this process is in its way."""
    import torch

    batch = torch.randint(0, 256, (BATCH, 3, network.patch, network.patch), dtype=torch.uint8, device="cuda")
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            network.look(batch)
    with torch.cuda.graph(graph, stream=stream):
        network.look(batch)
    torch.cuda.synchronize()
    began = clocks()
    for _ in range(-(-many // BATCH)):
        graph.replay()
    torch.cuda.synchronize()
    return many / (clocks() - began)


def card_name() -> str:
    import torch

    return torch.cuda.get_device_name(0)


def plan_of(job: Job) -> Plan:
    """As the step `tiles` makes it, with an untrained network of the default size."""
    (name,) = job.slides
    side, step = job.settings.side, job.settings.step
    clusterer = Clusterer(Autoencoder(patch=side), ClusterHead(128, CLUSTERS)).eval()
    network = PatchNetwork(clusterer.autoencoder, side, step, clusterer=clusterer)
    layers = {}
    cells = cells_along(job)
    for output, (channels, dtype) in network.outputs.items():
        spec = ImageSpec(cell_frames(job, name)[:1], channels, dtype, (cells, cells), (cells, cells))
        layers[output] = StoredLayer(StoredImage.ensure(job.folder.layer(name, output), spec))
    tiles = partial(tissue_tiles, step=network.stride, halo=network.halo, mask=tissue(job, name))
    unit, prepare = tuple(cells * s for s in network.stride), background_filler(job, name)
    return Plan(job.image(name), tiles, network, layers, unit=unit, prepare=prepare)


def tissue_tiles(box: Box, step: tuple[int, ...], halo: tuple[int, ...], mask: Mask) -> Tiles:
    return within(grid(box, step, halo), mask)


def count(plan: Plan, units: list[Box]) -> int:
    return sum(len(Tiles.of(plan.tiles(unit))) for unit in units)


def network_rate(network: PatchNetwork, many: int) -> Seconds:
    rng = np.random.default_rng(0)
    kept = [rng.integers(0, 255, (BATCH, 3, network.patch, network.patch), np.uint8) for _ in range(8)]

    def batches() -> Iterator[Array]:
        while True:
            yield from kept

    began = clocks()
    for _ in network(islice(batches(), -(-many // BATCH))):
        pass
    return many / (clocks() - began)


def engine_rate(plan: Plan, units: list[Box], many: int) -> Seconds:
    """As the step `tiles` does it: the pixels of a unit are read from the last batches of the unit before on."""
    began = clocks()
    ahead: list[BegunUnit] = []
    for unit, following in zip(units, [*units[1:], None], strict=True):
        read_next = partial(lambda box: box and ahead.append(begin(plan, box)), following)
        execute(plan, unit, ahead.pop() if ahead else None, read_next)
    return many / (clocks() - began)


if __name__ == "__main__":
    main()
