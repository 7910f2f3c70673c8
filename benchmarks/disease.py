"""Do codes follow a disease rather than the person? Simulated: ventricles that grow into the tissue around them.

The disease is made here, from a seed, on 43 real brains (IXI, Hammersmith): nobody of them is known to be ill. Each person
is scanned `--scans` times, each time on another day (a small move, other brightness, noise); half of all scans, whoever's
they are, are ill: a smooth warp pushes the walls of the ventricles out by 2 to 6 mm and compresses what lies around them.
Two runs of `run embed`, with and without metric learning, are judged on people that the networks did not see.

    python benchmarks/disease.py --scratch /tmp/disease
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from brains import moved, people, save, scan, text, write
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

import tile_engine
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.models.seeds import numpy_generator
from tile_engine.stores.frame import Array

VENTRICLES = (4, 49, 50, 51, 52)
"""Third and lateral ventricles in the segmentation."""
LEAST, MOST = 2.0, 6.0
"""Millimetres that walls of an ill brain's ventricles are pushed out."""
TURN = 1.0
"""Degrees, at most, that a head lies differently on another day."""
REACH = 24.0
"""Millimetres from the ventricles over which the push fades."""
SHOWN = ("k-means accuracy", "k-means balanced accuracy", "k-means ari", "macro precision@5", "knn auc", "rmse %")


def grown(values: Array, parts: Array, push: float, voxel: float) -> Array:
    """`values` with the ventricles' walls `push` millimetres further out; nothing moves from `REACH` millimetres on.

    ```text
    from the wall:   0 ------- push ------- REACH        what lies here after
                     inside    0            REACH        lay there before
    ```
    """
    inside = np.isin(parts, VENTRICLES)
    apart = gaussian_filter((distance_transform_edt(~inside) - distance_transform_edt(inside)) * voxel, 1.5)
    fade = np.cos(np.clip(apart / REACH, 0, 1) * np.pi / 2) ** 2
    outward = np.stack(np.gradient(apart, voxel))
    places = np.indices(values.shape) - push / voxel * fade * outward
    return map_coordinates(values, places, order=1)


def made(folder: Path, scans: int, seed: int) -> Path:
    """The list of all scans; they are made once."""
    if (folder / "list.csv").exists():
        return folder / "list.csv"
    folder.mkdir(parents=True, exist_ok=True)
    everybody = people()
    draw = numpy_generator(seed, "disease")
    ill = draw.permutation(np.arange(len(everybody) * scans) % 2 == 0).reshape(len(everybody), scans)
    rows = []
    for person, states in zip(everybody, ill, strict=True):
        values, affine = scan(person, brain=True)
        parts = np.asarray(nibabel.load(person.parts).dataobj)
        voxel = float(np.linalg.norm(affine[:3, 0]))
        for day, state in enumerate(states):
            push = float(draw.uniform(LEAST, MOST)) if state else 0.0
            again = moved(grown(values, parts, push, voxel) if state else values, draw, degrees=TURN)
            path = save(again, affine, folder / f"{person.id}-{day}.nii.gz")
            rows.append({"path": path.name, "subject": person.id, "label": "ill" if state else "well"})
    return write(rows, folder / "list.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for scans and results; kept")
    parser.add_argument("--shape", default="32,48,32", help="z, y, x that the network sees")
    parser.add_argument("--scans", type=int, default=2, help="of each person")
    parser.add_argument("--cv", type=int, default=3)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--alpha", type=float, default=0.03, help="weight of the metric loss")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    listed = made(args.scratch / f"scans-{args.seed}", args.scans, args.seed)
    settings: dict[str, Any] = {"shape": args.shape, "effort": args.effort, "seed": args.seed, "cv": args.cv}
    settings["threads"] = 1
    print(f"{time.strftime('%d %B %Y')}, load {os.getloadavg()[0]:.1f}, simulated, {args.shape}, seed {args.seed}")
    print(f"{'':<24}" + "".join(f"{name:>27}" for name in SHOWN), flush=True)
    for objective in ("reconstruction", "prototypes"):
        start = time.process_time()
        out = args.scratch / f"out-{objective}-{args.seed}-{args.shape.replace(',', 'x')}"
        weight = {"alpha": args.alpha} if objective == "prototypes" else {}
        options = RunOptions(cluster=ClusterOptions(cluster="none"))
        tile_engine.embed(listed, out, options=options, objective=objective, **settings, **weight)
        methods = json.loads((out / "models" / "evaluation.json").read_text())["methods"]
        for method in ("onga", *(("principal components",) if objective == "reconstruction" else ())):
            name = objective if method == "onga" else method
            print(f"{name:<24}" + "".join(f"{text(methods[method][f]):>27}" for f in SHOWN), flush=True)
        print(f"  {time.process_time() - start:.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
