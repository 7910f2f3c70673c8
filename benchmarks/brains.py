"""What do codes keep of real brains? 43 T1 heads of one scanner (IXI, Hammersmith), with age and sex.

Everything goes through `run embed`: each preparation (heads as they lie; brains alone; brains aligned to a template) is a run
of its own, with a network a fold. Printed, each beside principal components of the same folds: the reconstruction's error
(RMSE in per cent of the intensity range) at 150 numbers, sex and age told from codes by linear models, and identity: whether
a copy of a brain that the network did not see, slightly moved, brightened and noised, lies nearest to that brain among all.

    python benchmarks/brains.py --scratch /tmp/brains
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

import tile_engine
from tile_engine.engine.images.opening import inspect_volumes
from tile_engine.engine.pipeline.job import Job
from tile_engine.engine.runs.embed.folds import folds_of
from tile_engine.engine.runtime.load import load
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.steps.volumes.dataset import Volumes
from tile_engine.engine.steps.volumes.encode import ENCODED
from tile_engine.engine.steps.volumes.networks import WHOLE, load_network, model_name
from tile_engine.engine.steps.volumes.prepare import new
from tile_engine.engine.workers.placement import ClusterOptions
from tile_engine.models.seeds import numpy_generator
from tile_engine.models.training.components import Components
from tile_engine.models.training.encoding import embeddings_of
from tile_engine.stores.volumes.cohort import find_volumes
from tile_engine.stores.volumes.reader import open_volume

Array = npt.NDArray[Any]
CODE, SHIFT, TURN = 150, 2, 3.0
"""Numbers of a code; voxels and degrees that a copy is moved by, at most."""
SHOWN = ("rmse %", "sex AUC", "age mean absolute error", "age r", "identity top-1")


@dataclass(frozen=True, slots=True)
class Person:
    """A row of the list, its scan, and the model-made segmentation of its brain."""

    id: str
    age: str
    sex: str
    scan: Path
    parts: Path


def data() -> Path:
    return Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def people() -> list[Person]:
    root = data() / "mri" / "ixi-hh-2mm"
    if not root.exists():
        raise SystemExit(f"no {root}: set TILE_ENGINE_DATA to the folder that holds mri/ixi-hh-2mm")
    with (root / "participants_dev.csv").open() as file:
        return [
            Person(r["id"], r["age"], r["sex"], root / f"dev/{r['id']}_T1.nii.gz", segmentation)
            for r in csv.DictReader(file)
            if (segmentation := root / f"dev-seg/{r['id']}_T1_DLMUSE.nii.gz").exists()
        ]


def scan(person: Person, *, brain: bool) -> tuple[Array, Array]:
    """Values float32 (x, y, z), outside the brain 0 where it alone is asked for, and the affine."""
    image = nibabel.load(person.scan)
    values = np.asarray(image.dataobj, np.float32)
    if brain:
        values = values * (np.asarray(nibabel.load(person.parts).dataobj) > 0)
    return values, image.affine


def moved(values: Array, draw: np.random.Generator, *, degrees: float = TURN) -> Array:
    """The same head on another day: shifted by 1 or 2 voxels an axis, turned a little, brighter or darker, noisy."""
    turn = Rotation.from_euler("xyz", draw.uniform(-degrees, degrees, 3), degrees=True).as_matrix()
    centre = (np.array(values.shape) - 1) / 2
    shift = draw.integers(1, SHIFT + 1, 3) * draw.choice([-1, 1], 3)
    again = affine_transform(values, turn, centre - turn @ (centre + shift), order=1)
    noise = draw.normal(0, 0.02 * values.max(), values.shape)
    return np.where(again > 0, again * draw.uniform(0.8, 1.2) + noise, again).clip(0)


def write(rows: list[dict[str, Any]], path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def save(values: Array, affine: Array, path: Path) -> Path:
    nibabel.save(nibabel.Nifti1Image(values.round().astype(np.int16), affine), path)
    return path


def written(folder: Path, *, brain: bool) -> tuple[Path, list[str]]:
    """The list of all people's scans, and a moved copy of each, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, copies = [], []
    for number, person in enumerate(people()):
        values, affine = scan(person, brain=brain)
        path = save(values, affine, folder / f"{person.id}.nii.gz")
        rows.append({"path": path.name, "subject": person.id, "age": person.age, "sex": person.sex})
        copy = moved(values, numpy_generator(0, "copy", number))
        copies.append(str(save(copy, affine, folder / f"{person.id}-copy.nii.gz")))
    return write(rows, folder / "list.csv"), copies


def seen(job: Job, paths: list[str]) -> Array:
    """Volumes that the run does not know, prepared as its own are, uint16 (n, 1, z, y, x)."""
    rows = []
    for path in paths:
        (record,) = inspect_volumes(find_volumes([path])).slides.values()
        with open_volume(Path(record.path)) as volume:
            rows.append(new(job, record, volume))
    return np.concatenate(rows)


def identity(job: Job, copies: list[str]) -> dict[str, list[float]]:
    """By method, for each fold: the share of its own people's copies whose nearest brain of all is that person's."""
    network = job.settings.networks[0]
    held, asked = Volumes(job), seen(job, copies)
    found: dict[str, list[float]] = {network: [], "principal components": []}
    for fold, (train, test) in folds_of(job).items():
        if fold == WHOLE:
            continue
        net, components = load_network(job, model_name(network, fold)), Components(held[train], CODE)
        for method, gallery, query in (
            (network, embeddings_of(net, held, ENCODED), embeddings_of(net, asked[test], ENCODED)),
            ("principal components", components.embeddings(held), components.embeddings(asked[test])),
        ):
            apart = np.square(query[:, None] - gallery[None]).sum(-1)
            found[method].append(float((apart.argmin(1) == test).mean()))
    return found


def figures(out: Path, copies: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(method, a text for each figure shown) of a finished run."""
    job = load(out)
    told = json.loads((out / "models" / "evaluation.json").read_text())["methods"]
    for method, shares in identity(job, copies).items():
        spread = {"mean": float(np.mean(shares)), "sd": float(np.std(shares, ddof=1)), "low": None, "high": None}
        yield method, [text(({**told[method], "identity top-1": spread})[name]) for name in SHOWN]


def text(figure: dict[str, Any]) -> str:
    said = f"{figure['mean']:.2f}"
    if figure["sd"] is not None:
        said += f" ± {figure['sd']:.2f}"
    if figure["low"] is not None:
        said += f" [{figure['low']:.2f}, {figure['high']:.2f}]"
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for scans and results; kept")
    parser.add_argument("--shape", default="80,96,80", help="z, y, x that the network sees")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=["heads", "brains", "brains, aligned"], help="preparations")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{time.strftime('%d %B %Y')}, load {os.getloadavg()[0]:.1f}, {args.shape}, seed {args.seed}", flush=True)
    print(f"{'':<16}{'':<22}" + "".join(f"{name:>26}" for name in SHOWN))
    template = str(data() / "mri" / "templates" / "mni_icbm152_t1_nilearn.nii.gz")
    for name in args.only:
        start = time.process_time()
        listed, copies = written(args.scratch / name.split(",")[0], brain=name != "heads")
        out = args.scratch / f"out-{name.replace(', ', '-')}-{args.shape.replace(',', 'x')}-{args.seed}"
        settings = {"align": "affine", "template": template} if "aligned" in name else {}
        options = RunOptions(cluster=ClusterOptions(cluster="none"))
        settings |= {"shape": args.shape, "effort": args.effort, "seed": args.seed, "threads": 1, "cv": 5}
        tile_engine.embed(listed, out, options=options, **settings)
        for method, row in figures(out, copies):
            print(f"{name:<16}{method:<22}" + "".join(f"{cell:>26}" for cell in row), flush=True)
        print(f"  {time.process_time() - start:.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
