"""What do clusters say of the laboratory before and after stains are normalised? Whole runs, on three cohorts.

* `sources`: haematoxylin-eosin of three blocks (lung from one source, kidney and a carcinoma from another): also other tissue.
* `scanner`: sections of kidney and carcinoma, and the same sections as another scanner would show them (each channel's light to
  a power, JPEG, mirrored): the same tissue, so that clusters should say nothing of the scanner and much of the block.
* `stainings`: serial sections of a lung in three stains, which normalisation is not made for.

Printed: adjusted mutual information of cluster and scanner, and of cluster and block: mean and standard deviation over
seeds, over the tiles of `labels/clusters`.

    python benchmarks/normalize.py
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from stains import SECTIONS, Name, data

import tile_engine
from tile_engine.models.evaluation.dependence import slide_information
from tile_engine.models.evaluation.metrics import contingency

WIDTH_UM = 9600
"""Micrometres that a section is taken to be wide, as the pictures do not state their scale."""
POWERS = (1.3, 0.85, 1.1)
"""Light of red, green and blue of the planted scanner, as powers."""
WAYS = ("none", "macenko", "reinhard")
HE = {block: SECTIONS[block, "HE", 1] for block in ("lung", "case", "kidney")}


def section(name: Name | str) -> Image.Image:
    return Image.open(data() / "sections" / (name if isinstance(name, str) else SECTIONS[name])).convert("RGB")


def other_scanner(image: Image.Image) -> Image.Image:
    light = (np.asarray(image) / 255.0) ** np.array(POWERS)
    return Image.fromarray(np.rint(light[:, ::-1] * 250).astype(np.uint8))


def cohorts() -> dict[str, dict[str, tuple[Image.Image, str, str]]]:
    """Cohort -> name of a slide -> picture, scanner (or what stands for it), block."""
    planted = {}
    for block in ("case", "kidney"):
        planted[f"{block}-a"] = (section(HE[block]), "a", block)
        planted[f"{block}-b"] = (other_scanner(section(HE[block])), "b", block)
    stains = ("HE", "proSPC", "CD31")
    last = {"HE": 2, "proSPC": 2, "CD31": 1}
    return {
        "sources": {block: (section(path), block, block) for block, path in HE.items()},
        "scanner": planted,
        "stainings": {s: (section(("lung", s, last[s])), s, "lung") for s in stains},
    }


def written(folder: Path, slides: Mapping[str, tuple[Image.Image, str, str]]) -> Path:
    """The pictures and their list."""
    folder.mkdir()
    rows = ["path,mpp"]
    for name, (image, _, _) in slides.items():
        image.save(folder / f"{name}.jpg", quality=92)
        rows.append(f"{name}.jpg,{WIDTH_UM / image.width:.4f}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def information(run: tile_engine.Run, slides: Mapping[str, tuple[Image.Image, str, str]]) -> tuple[float, float]:
    """Adjusted mutual information of cluster and scanner, and of cluster and block."""
    tiles = run.tiles.obs
    names = {i: Path(path).stem for i, path in run.paths.items()}
    of = [slides[names[i]] for i in tiles["slide"]]
    cluster = tiles["cluster"].astype(int).to_numpy()
    scanner, block = ([what[n] for what in of] for n in (1, 2))
    found = [slide_information(contingency(cluster, np.unique(x, return_inverse=True)[1])[0]) for x in (scanner, block)]
    return found[0].adjusted, found[1].adjusted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--effort", type=float, default=0.2)
    parser.add_argument("--k", type=int, nargs="+", default=[4])
    parser.add_argument("--cohorts", nargs="+", default=list(cohorts()), choices=list(cohorts()))
    args = parser.parse_args()
    how = tile_engine.RunOptions(cluster=tile_engine.ClusterOptions(cluster="none"))
    print(f"{'cohort':<12}{'K':>3}  {'normalised':<12}{'with scanner':>14}{'with block':>14}")
    with tempfile.TemporaryDirectory() as root:
        for title in args.cohorts:
            slides = cohorts()[title]
            images = written(Path(root) / title, slides)
            for k in args.k:
                for way in WAYS:
                    values = []
                    for seed in range(args.seeds):
                        out = Path(root) / f"{title}-{k}-{way}-{seed}"
                        settings = {"k": k, "normalize": way, "seed": seed, "stains": "together", "spacing": 8.0}
                        small = {"patch": 32, "effort": args.effort, "umap": False, "threads": 1}
                        run = tile_engine.cluster(images, out, options=how, **settings, **small)
                        assert isinstance(run, tile_engine.Run)
                        values.append(information(run, slides))
                        shutil.rmtree(out)
                    mean, spread = np.mean(values, 0), np.std(values, 0, ddof=1) if len(values) > 1 else np.zeros(2)
                    pairs = zip(mean, spread, strict=True)  # one block alone has no information
                    cells = "".join(f"{m:>7.2f} ± {s:.2f}" for m, s in pairs if np.isfinite(m))
                    print(f"{title:<12}{k:>3}  {way:<12}{cells}", flush=True)


if __name__ == "__main__":
    main()
