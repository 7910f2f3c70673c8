"""rim: do tiles on the edge of the tissue get the cluster of the same tissue further inside?

```text
planted   slides of three tissues on glass, each the same from inside to rim: share of the rim's tiles in the cluster
          of their tissue's inside, and the same share of the inside's own tiles, which no method exceeds by much
slides    any slides (--slides): the largest share of partial tiles that a cluster has
```
A tile is partial, or of the rim, if less than 90 % of it is tissue inside the image, and of the inside if all of it is. Tiles
on the border of two tissues are not counted. K is the number of tissues, and one more: a spare cluster may become the rim.

    python benchmarks/rim.py
    python benchmarks/rim.py --slides CMU-1-Small-Region.svs --k 6
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.api.run import Run
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.steps.convert.tissue import tissue
from tile_engine.stores.slides.synthetic import write_demo_pyramid

Array = npt.NDArray[np.generic]
STAGES = ("convert", "sample", "train", "apply", "map")
TISSUES, SIDE, SLIDES = 3, 1792, 2
PARTIAL = 0.9
"""Share of tissue below which a tile is partial."""
PURE = 0.95
"""Share of its tissue that is of one kind in a tile that counts."""
STROMA, EPITHELIUM = (330, 470, 160, 240), (70, 180, 40, 130)
"""Boxes (top, bottom, left, right) of scikit-image's IHC section."""
HED = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
"""Optical density of haematoxylin, eosin and diaminobenzidine (Ruifrok and Johnston 2001)."""
GLASS_BOX = (320, 380, 5, 40)
"""A box of the section that is empty: the white of the planted glass."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of a run that have a cluster, one row each."""

    cluster: Array
    slide: Array
    """Place of the tile's slide in the run."""
    covered: Array
    """Share of the tile that is tissue inside the image."""
    kind: Array
    """Planted tissue; -1 for tiles on the border of two."""


def planted(seed: int, number: int) -> tuple[Array, Array]:
    """Pixels uint8 (y, x, 3) of a slide, and its planted tissues uint8 (y, x): 0 is glass."""
    import skimage.data
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng((seed, number))
    density = -np.log((skimage.data.immunohistochemistry().astype(np.float32) + 1) / 256)
    y, x = np.meshgrid(*(np.linspace(-1, 1, SIDE),) * 2, indexing="ij")
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    outline = 0.8 + sum(rng.normal(0, 0.2) / k * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 24))
    turn = (angle + 0.3 * smooth(rng, 8) + rng.uniform(0, 7)) % (2 * np.pi)
    kinds = 1 + (turn * TISSUES / (2 * np.pi)).astype(np.uint8) % TISSUES
    kinds[radius > outline] = 0
    glass = np.median(cut(density, GLASS_BOX), (0, 1))
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    for kind, texture in enumerate(textures(density - glass), 1):
        canvas += warped(texture, rng) * gaussian_filter((kinds == kind).astype(np.float32), 2)[..., None]
    canvas = canvas * rng.uniform(0.95, 1.05) + glass
    pixels = np.exp(-canvas) * 256 - 1 + rng.normal(0, 1, (SIDE, SIDE, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8), kinds


def textures(density: Array) -> tuple[Array, Array, Array]:
    """Optical density of stroma, of epithelium, and of epithelium whose brown is pink."""
    stains = cut(density, EPITHELIUM) @ np.linalg.inv(np.array(HED, np.float32))
    pink = stains[..., [0, 2, 1]] * np.array([1, 0.4, 0.2], np.float32)
    return cut(density, STROMA), cut(density, EPITHELIUM), pink @ np.array(HED, np.float32)


def cut(density: Array, box: tuple[int, int, int, int]) -> Array:
    top, bottom, left, right = box
    return density[top:bottom, left:right]


def warped(crop: Array, rng: np.random.Generator) -> Array:
    """A crop mirrored over the whole slide and bent by smooth waves, so that it hardly repeats."""
    index = []
    for axis, length in enumerate(crop.shape[:2]):
        along = np.arange(SIDE)[:, None] if axis == 0 else np.arange(SIDE)[None]
        at = (along + 30 * smooth(rng, 8) + rng.integers(1000)).astype(int) % (2 * length)
        index.append(np.where(at < length, at, 2 * length - 1 - at))
    return np.asarray(crop[tuple(index)])


def smooth(rng: np.random.Generator, waves: int) -> Array:
    """A smooth random field over the slide, about in [-2, 2]."""
    from scipy.ndimage import zoom

    return np.asarray(zoom(rng.normal(0, 1, (waves, waves)).astype(np.float32), SIDE / waves, order=3, mode="nearest"))


def tiles_of(run: Run, kinds: dict[str, Array]) -> Tiles:
    """The tiles of all slides of a run; `kinds`: planted tissues by the stem of the slide's name."""
    job, parts = load(run.out), []
    labels = run.layers("clusters")
    for number, slide in enumerate(job.slides):
        found = np.asarray(labels[slide].values)
        cells = np.argwhere(found)
        starts = cells * job.settings.step - (job.settings.side - job.settings.step) // 2
        truth = kinds.get(Path(job.slides[slide].path).stem)
        here = np.full(len(cells), number)
        parts.append(
            (found[tuple(cells.T)], here, covered(job, slide, starts), kind_of(truth, starts, job.settings.side))
        )
    return Tiles(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def covered(job: Job, slide: str, starts: Array) -> Array:
    """Share of each tile that is tissue inside the image."""
    stops = starts + job.settings.side
    shape = np.array(job.slides[slide].frame.shape)
    inside = (np.clip(stops, 0, shape) - np.clip(starts, 0, shape)).prod(1) / job.settings.side**2
    return np.asarray(tissue(job, slide).share_of(starts.astype(float), stops.astype(float)) * inside)


def kind_of(truth: Array | None, starts: Array, side: int) -> Array:
    out = np.full(len(starts), -1)
    if truth is None:
        return out
    for i, (y, x) in enumerate(np.maximum(starts, 0).tolist()):
        counts = np.bincount(truth[y : y + side, x : x + side].ravel(), minlength=2)[1:]
        if counts.max() >= PURE * max(1, counts.sum()):
            out[i] = counts.argmax()
    return out


def rim_share(tiles: Tiles) -> tuple[float, float, int]:
    """(share of the rim's tiles, and of the inside's, that have the inside's cluster; number of the rim's tiles)."""
    rim, inside = [], []
    for kind in range(TISSUES):
        mine = tiles.kind == kind
        whole = mine & (tiles.covered > 0.999)
        chosen = np.bincount(tiles.cluster[whole]).argmax()
        inside.append(tiles.cluster[whole] == chosen)
        rim.append(tiles.cluster[mine & (tiles.covered < PARTIAL)] == chosen)
    return float(np.concatenate(rim).mean()), float(np.concatenate(inside).mean()), sum(map(len, rim))


def partial_share(tiles: Tiles) -> tuple[float, float]:
    """(largest share of partial tiles that a cluster has, share of partial tiles of all)."""
    partial = tiles.covered < PARTIAL
    return max(float(partial[tiles.cluster == c].mean()) for c in np.unique(tiles.cluster)), float(partial.mean())


def runs(slides: Path | str, ks: list[int], settings: dict[str, object], seed: int) -> Iterator[tuple[int, Run]]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for k in ks:
            how = RunOptions(stages=STAGES, redo=True)
            yield k, cluster(slides, Path(folder) / "out", options=how, k=k, seed=seed, umap=False, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, action="append", help="default: 0, 1 and 2")
    parser.add_argument("--slides", help="slides or a folder of them, instead of planted ones")
    parser.add_argument("--k", type=int, action="append", help="clusters (default: 3 and 4 planted, 4 and 6 on slides)")
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--samples", type=int, default=3000)
    given = parser.parse_args()
    settings = {"patch": given.patch, "stride": given.patch // 2, "samples": given.samples, "seeds": 3}
    for seed in given.seed or range(3):
        if given.slides:
            for k, run in runs(given.slides, given.k or [4, 6], settings, seed):
                most, mean = partial_share(tiles_of(run, {}))
                print(f"seed {seed} K {k}: partial tiles {mean:.3f}, in the cluster with most of them {most:.3f}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            kinds = {}
            for number in range(SLIDES):
                pixels, kinds[f"planted-{number}"] = planted(seed, number)
                write_demo_pyramid(Path(folder) / f"planted-{number}.tif", pixels)
            for k, run in runs(folder, given.k or [TISSUES, TISSUES + 1], settings, seed):
                tiles = tiles_of(run, kinds)
                rim, inside, count = rim_share(tiles)
                most, mean = partial_share(tiles)
                print(
                    f"seed {seed} K {k}: {count} rim tiles, {rim:.3f} with the inside's cluster (inside {inside:.3f}); "
                    f"partial tiles {mean:.3f}, in the cluster with most of them {most:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
