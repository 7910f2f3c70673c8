"""Do clusters follow tissue? 600 colon tiles in five classes, made into slides in both ways that the engine takes them.

```text
montage   one OME-Zarr image, a tile every 256 pixels     folder   one JPEG a tile, listed in a CSV
```
One half of the tiles (stratified, fixed) is for choosing the default objective, the other for reporting. Printed: NMI, ARI
and matched accuracy at K = 5 and at the K that the run chose, mean and standard deviation over seeds, beside k-means on mean
colour, on principal components and on the autoencoder's codes, and beside Leiden on the codes. One autoencoder a seed serves
all of a half.

    python benchmarks/colon_tiles.py --half report --way folder --seeds 5
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.api.run import Run
from tile_engine.engine.runs.cluster.settings import Objective
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.models.clustering.communities import leiden
from tile_engine.models.clustering.tree import number_at
from tile_engine.models.evaluation.metrics import agreement
from tile_engine.models.neighbours.knn import nearest_patches
from tile_engine.models.training.partitioners import GRAPH_NEIGHBOURS

Array = npt.NDArray[np.generic]
PITCH, SIDE, STEP, SPACING = 256, 224, 64, 0.5
"""The tiles' own spacing is not stated; 0.5 um is taken, and matters only for the size of what counts as tissue."""
STAGES = ("convert", "sample", "train", "apply")


def tiles(half: str) -> tuple[list[Path], Array]:
    """Paths and classes of one half: drawn at random within each class, by a fixed seed."""
    root = Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    paths, classes = [], []
    draw = np.random.default_rng(12345)
    for folder in sorted((root / "wsi" / "colon-tiles-5class").iterdir()):
        mine = sorted(folder.glob("*.jpg"))
        order = draw.permutation(len(mine))
        chosen = order[: len(mine) // 2] if half == "choose" else order[len(mine) // 2 :]
        paths += [mine[i] for i in sorted(chosen)]
        classes += [folder.name] * len(chosen)
    if not paths:
        raise SystemExit(f"no tiles below {root}: set TILE_ENGINE_DATA to the folder that holds wsi/colon-tiles-5class")
    return paths, np.array(classes)


def pixels(path: Path) -> Array:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def as_folder(paths: Sequence[Path], folder: Path) -> Path:
    """A CSV that lists the tiles as slides."""
    listing = folder / "tiles.csv"
    with listing.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "mpp"], *([str(p.absolute()), SPACING] for p in paths)])
    return listing


def as_montage(paths: Sequence[Path], folder: Path) -> Path:
    """One OME-Zarr image with a tile in the middle of every square of 256 pixels, its edge mirrored into the gap."""
    import zarr

    from tile_engine.stores.frame import Frame
    from tile_engine.stores.ngff import multiscales

    across = int(np.ceil(np.sqrt(len(paths))))
    canvas = np.full((3, -(-len(paths) // across) * PITCH, across * PITCH), 255, np.uint8)
    gap = (PITCH - SIDE) // 2
    for i, path in enumerate(paths):
        y, x = i // across * PITCH, i % across * PITCH
        tile = np.pad(pixels(path), ((gap, gap), (gap, gap), (0, 0)), mode="reflect")
        canvas[:, y : y + PITCH, x : x + PITCH] = tile.transpose(2, 0, 1)
    frame = Frame(("y", "x"), canvas.shape[1:], (SPACING, SPACING))
    store = folder / "montage.zarr"
    group = zarr.open_group(store, mode="w", zarr_format=3)
    group.create_array("0", data=canvas, chunks=(3, 512, 512), dimension_names=("c", "y", "x"))
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales([frame], name="montage")}
    return store


def tile_clusters(run: Run, way: str, paths: Sequence[Path], level: int) -> tuple[Array, float]:
    """The cluster of every tile: the most confident over the four patches inside it; and the share that has any."""
    fine, confidence = run.layers("assignment"), run.layers("confidence")
    tree = run.document("clusters")
    numbers = np.concatenate([[0], number_at(tree["parents"], level)[np.asarray(tree["numbers"]) - 1]])
    out = np.zeros(len(paths), int)
    across = int(np.ceil(np.sqrt(len(paths))))
    owner = {Path(p).absolute(): s for s, p in run.paths.items()}
    for i, path in enumerate(paths):
        if way == "montage":
            slide, (row, column) = run.slides[0], (i // across * 4, i % across * 4)
        else:
            slide, (row, column) = owner.get(path.absolute()), (0, 0)
        if slide is None:
            continue
        here = {"y": slice(row + 1, row + 3), "x": slice(column + 1, column + 3)}
        votes = np.bincount(
            numbers[fine[slide].isel(c=0, **here).values.ravel()],
            weights=confidence[slide].isel(c=0, **here).values.ravel(),
            minlength=2,
        )
        votes[0] = 0
        out[i] = votes.argmax() if votes.any() else 0
    return out, float((out > 0).mean())


def codes(run: Run, paths: Sequence[Path]) -> Array:
    """The frozen autoencoder's codes, the mean over the four patches inside each tile."""
    from tile_engine.engine.runtime.load import load
    from tile_engine.engine.steps.autoencoder import load_autoencoder
    from tile_engine.models.networks.autoencoder import to_float

    network = load_autoencoder(load(run.out))
    out = []
    with torch.inference_mode():
        for path in paths:
            tile = pixels(path).transpose(2, 0, 1)
            crops = np.stack([tile[:, y : y + 128, x : x + 128] for y in (16, 80) for x in (16, 80)])
            out.append(network.encode(to_float(crops)).mean(0).numpy())
    return np.stack(out)


def baselines(paths: Sequence[Path], embedding: Array, *, k: int, seed: int) -> dict[str, Array]:
    """k-means into k on what is simpler than the engine, and Leiden on the codes."""
    small = np.stack([pixels(p)[::4, ::4].astype(np.float32).ravel() for p in paths])
    colour = small.reshape(len(paths), -1, 3).mean(1)
    components = PCA(50, random_state=seed).fit_transform(small)
    codes_ = (embedding - embedding.mean(0)) / (embedding.std(0) + 1e-6)
    found = {"mean colour": colour, "PCA of pixels": components, "autoencoder codes": codes_}
    near = nearest_patches(torch.from_numpy(codes_).float(), GRAPH_NEIGHBOURS).numpy()
    by_k_means = {f"k-means, {n}": KMeans(k, n_init=10, random_state=seed).fit_predict(x) for n, x in found.items()}
    return {**by_k_means, "Leiden, autoencoder codes": leiden(near, k, seed)}


def one(half: str, way: str, *, objective: str, seed: int, **training: Any) -> dict[str, tuple[float, float, float]]:
    """All figures of one seed: name -> (NMI, ARI, matched accuracy)."""
    paths, classes = tiles(half)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slides = (as_folder if way == "folder" else as_montage)(paths, folder)
        options = RunOptions(stages=STAGES)
        run = cluster(slides, folder / "out", options=options, objective=objective, seed=seed, **training)
        k, passing = run.validity["k"], run.validity["passing"]
        chosen, held = tile_clusters(run, way, paths, k)
        five, _ = tile_clusters(run, way, paths, 5)
        found = {
            f"{objective}, K = 5": five,
            f"{objective}, recommended K": chosen,
            **baselines(paths, codes(run, paths), k=5, seed=seed),
        }
    print(f"  seed {seed}: recommended K = {k} of {passing}; {held:.0%} of the tiles have tissue", flush=True)
    return {n: (a.nmi, a.ari, a.accuracy) for n, c in found.items() for a in [agreement(classes, c)]}


def show(rows: Mapping[str, Sequence[tuple[float, float, float]]]) -> None:
    print(f"{'':<32}{'NMI':>16}{'ARI':>16}{'matched acc.':>16}")
    for name, values in rows.items():
        table = np.array(values)
        spread = table.std(0, ddof=1) if len(table) > 1 else np.zeros(3)
        cells = "".join(f"{m:>9.3f} ± {s:.3f}" for m, s in zip(table.mean(0), spread, strict=True))
        print(f"{name:<32}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("choose", "report"), default="report")
    parser.add_argument("--way", choices=("montage", "folder"), default="folder")
    parser.add_argument("--objective", choices=get_args(Objective), nargs="+", default=["auto"])
    parser.add_argument("--seeds", type=int, default=1, help="how many; 5 for the figures in docs/benchmarks.md")
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--early-stop", action="store_true", help="the setting of this name")
    parser.add_argument("--training-dtype", choices=("float32", "bf16"), default="float32", help="as the run's option")
    args = parser.parse_args()
    training = {"effort": args.effort, "early_stop": args.early_stop, "training_dtype": args.training_dtype}
    rows: dict[str, list[tuple[float, float, float]]] = {}
    how = f"effort {args.effort:g}" + (", early stop" if args.early_stop else "") + f", {args.training_dtype}"
    print(f"colon tiles, half to {args.half}, as {args.way}, {args.seeds} seeds, {how}")
    for objective in args.objective:
        for seed in range(args.seeds):
            found = one(args.half, args.way, objective=objective, seed=seed, **training)
            for name, figures in found.items():
                rows.setdefault(name, []).append(figures)
    show(rows)


if __name__ == "__main__":
    main()
