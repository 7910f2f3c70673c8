"""How near to the truth does `run harmonize` bring a scan? The whole command, on the sites of benchmarks/harmonize.py.

Of the 30 fitting people, half have a scan at A and the other half one at B; the 13 scored people have one at both. The scans
are NIfTI files with a list; the figures are those of the run's own judgement, and seconds of its steps. Sites are simulated.

    python benchmarks/harmonize_run.py
    python benchmarks/harmonize_run.py --effort 4 --split 1 --generator unet
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
from harmonize import SOURCE, TARGET, Cohort, cohort

import tile_engine

UNIT = 1000
"""Stored value of a head's 99th percentile."""


def written(scans: Cohort, folder: Path) -> Path:
    """All scans as NIfTI, and their list."""
    with (folder / "list.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "subject", "site", "split"])
        half = len(scans.fitted) // 2
        parts = [(scans.fitted[:half], SOURCE, "train"), (scans.fitted[half:], TARGET, "train")]
        parts += [(scans.scored, site, "test") for site in (SOURCE, TARGET)]
        for rows, site, split in parts:
            for row in rows:
                name = f"{scans.people[row]}_{site}.nii.gz"
                values = np.clip(np.rint(scans.volumes[site][row] * UNIT), 0, 32767).astype(np.int16)
                nibabel.save(nibabel.Nifti1Image(values, scans.affines[row]), folder / name)
                lines.writerow([name, scans.people[row], site, split])
    return folder / "list.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--generator", default="light")
    parser.add_argument("--split", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".bench/harmonize-run"))
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    scans = cohort(1.0)
    scans.split(given.split)
    run = tile_engine.harmonize(
        written(scans, given.folder),
        given.folder / "out",
        to=TARGET,
        effort=given.effort,
        generator=given.generator,
        seed=given.seed,
    )
    judged = run.document("judgement")["judgement"]
    for name, method in judged["methods"].items():
        pairs = [f"{figure} {one['mean']:.3f} ± {one['sd']:.3f}" for figure, one in method["pairs"].items()]
        seen = [f"{what} {one['accuracy']:.2f}" for what, one in method["classifiers"].items()]
        rest = f"MMD² {method['mmd2']:.3f}, rank {method['rank_values']:.2f}, contrast {method['contrast']:.3f}"
        print(f"{name}: {', '.join(pairs)}; site told by {', '.join(seen)}; {rest}")
    for figure, others in judged["comparisons"].items():
        for one in others:
            print(f"{figure} against {one['other']}: {one['difference']:+.3f}, p {one['p_corrected']:.2g} (Holm)")
    steps = json.loads((given.folder / "out" / "run.json").read_text())["steps"]
    print(*(f"{name}: {step['wall']:.0f} s" for name, step in steps.items()), sep=", ")


if __name__ == "__main__":
    main()
