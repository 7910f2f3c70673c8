"""How surely does `run sites` name the site of subjects that it did not see? Simulated sites on 43 real T1 heads (IXI, 2 mm).

Every person is simulated at each of six sites (SITES6: contrast, bias field, blur, noise and gain differ); every volume is
divided by the 99th percentile of its head, written as NIfTI, and all go through `run sites` in folds by person. Strength 1 is
six clearly different scanners; at strength .5 contrast, field and blur differ half as much, and each person's own jitter does
not. Printed: accuracy with Wilson's interval of the network and of the baseline, shuffled sites, and how much of the evidence
lies inside head and brain.

    python benchmarks/sites.py --scratch /tmp/sites
    python benchmarks/sites.py --strengths 1 --people 12 --cv 2 --effort quick
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from harmonize import data, simulator

import tile_engine
from tile_engine.engine.runtime.options import RunOptions
from tile_engine.engine.workers.placement import ClusterOptions

BRAIN = "mri/ixi-hh-2mm/dev-seg"


def write_cohort(folder: Path, strength: float, people: int) -> Path:
    """Simulate every person at every site; returns the list of volumes."""
    sim = simulator()
    paths = sorted((data() / "mri/ixi-hh-2mm/dev").glob("*.nii.gz"))[:people]
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, path in enumerate(paths):
        image = nibabel.load(path)
        head = np.asarray(image.dataobj, np.float32)
        mask = sim.head_mask(head)
        head = head / np.percentile(head[mask], 99.5)
        brain = _brain(folder, path)
        for site in sim.SITES6:
            scan = sim.simulate(head, mask, site, number, table=sim.SITES6, strength=strength)
            name = f"{path.name.split('_')[0]}-{site}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(scan / np.percentile(scan[mask], 99), image.affine), folder / name)
            rows.append({"path": name, "subject": path.name.split("-")[0], "site": f"site-{site}", "mask": brain})
    with (folder / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "list.csv"


def _brain(folder: Path, path: Path) -> str:
    """A person's brain mask as a file beside the volumes; empty where there is no segmentation."""
    found = sorted((data() / BRAIN).glob(f"{path.name.split('_')[0]}*"))
    if not found:
        return ""
    image = nibabel.load(found[0])
    name = f"brain-{path.name.split('_')[0]}.nii.gz"
    nibabel.save(nibabel.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), folder / name)
    return name


def measured(volumes: Path, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    start = time.perf_counter()
    how = RunOptions(cluster=ClusterOptions(cluster="none"))
    run = tile_engine.sites(volumes, out, options=how, **settings)
    maps = run.document("explanations")["maps"]
    shares = {name: [m[name] for m in maps if m[name] is not None] for name in ("head", "brain")}
    return {
        "evaluation": run.document("evaluation"),
        "minutes": (time.perf_counter() - start) / 60,
        **{name: float(np.mean(values)) if values else float("nan") for name, values in shares.items()},
    }


def tell(strength: float, figures: dict[str, Any]) -> None:
    found = figures["evaluation"]
    print(
        f"strength {strength:g}: {found['images']} volumes of {found['subjects']} people, {figures['minutes']:.1f} minutes"
    )
    for name, one in found["methods"].items():
        print(
            f"  {name:26} {one['accuracy']:.3f} [{one['low']:.3f}, {one['high']:.3f}]  balanced {one['balanced']:.3f}"
        )
    print(f"  {'majority':26} {found['majority']:.3f}")
    for one in found["shuffled"]:
        print(f"  shuffled {one['mean']:.3f} ± {one['sd'] or 0:.3f} over {one['draws']} ({one['method']})")
    print(f"  evidence inside the head {figures['head']:.3f}, inside the brain {figures['brain']:.3f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--strengths", type=float, nargs="+", default=[1.0, 0.5])
    options.add_argument("--people", type=int, default=43)
    options.add_argument("--cv", type=int, default=5)
    options.add_argument("--effort", default="normal")
    options.add_argument("--threads", type=int, default=0)
    options.add_argument("--scratch", type=Path, help="folder that keeps volumes and runs; a temporary one without it")
    given = options.parse_args()
    settings = {"cv": given.cv, "effort": given.effort, "threads": given.threads}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        for strength in given.strengths:
            volumes = scratch / f"volumes-{strength:g}-{given.people}"
            listed = volumes / "list.csv"
            if not listed.exists():
                listed = write_cohort(volumes, strength, given.people)
            tell(strength, measured(listed, scratch / f"run-{strength:g}-{given.people}", settings))


if __name__ == "__main__":
    main()
