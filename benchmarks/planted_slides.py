"""planted_slides: are planted kinds of tissue found, and their number, where stain and brightness differ from slide to slide?

Slides are assembled from crops of real sections (sections/ of the test data, scikit-image's IHC section): every slide has all
kinds of a draw, in regions of its own, on glass; the crops are mirrored and bent so that they hardly repeat, and the optical
density of each slide is scaled and tinted at random. Draw d has KINDS[d] kinds, chosen at random among the crops.

```text
nmi         of clusters and planted kinds at the true K, over tiles of one kind
number      the recommended K, and the interval of K that pass
slide       normalised mutual information of clusters and slides, at the true K
```
    python benchmarks/planted_slides.py
    python benchmarks/planted_slides.py --draw 0 --draw 3 --effort 0.5
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from rim import HED, SIDE, smooth, tiles_of, warped
from sklearn.metrics import normalized_mutual_info_score

from tile_engine.engine.api.commands import cluster
from tile_engine.engine.api.running import relabel
from tile_engine.engine.pipeline.documents import read_document
from tile_engine.engine.runs.cluster.documents import VALIDITY, Validity
from tile_engine.engine.runs.cluster.tree import clusters_document
from tile_engine.engine.runtime.load import load
from tile_engine.stores.slides.synthetic import write_demo_pyramid

Array = npt.NDArray[np.generic]
KINDS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 14)
SLIDES = 3
FLAGSHIP, LUNG = "pyimsegm/histology_Flagship/", "pyimsegm/histology_CIMA/29-041-Izd2-w35-"
CROPS = {  # name -> file of sections/ (or the IHC section), and its box as parts of the image: top, bottom, left, right
    "kidney cortex, HE": (FLAGSHIP + "Rat_Kidney_Section02_HE.jpg", (0.3, 0.55, 0.8, 0.95)),
    "kidney medulla, HE": (FLAGSHIP + "Rat_Kidney_Section02_HE.jpg", (0.42, 0.56, 0.3, 0.52)),
    "kidney cortex, podocin": (FLAGSHIP + "Rat_Kidney_Section04_Podocin.jpg", (0.3, 0.6, 0.8, 0.95)),
    "kidney medulla, podocin": (FLAGSHIP + "Rat_Kidney_Section04_Podocin.jpg", (0.44, 0.56, 0.3, 0.52)),
    "kidney cortex, cytokeratin": (FLAGSHIP + "Rat_Kidney_Section06_PanCytokeratin.jpg", (0.3, 0.55, 0.8, 0.93)),
    "tumour, HE": (FLAGSHIP + "Case001_HE.jpg", (0.4, 0.55, 0.1, 0.28)),
    "stroma, HE": (FLAGSHIP + "Case001_HE.jpg", (0.42, 0.58, 0.75, 0.9)),
    "tumour, cytokeratin": (FLAGSHIP + "Case001_Cytokeratin.jpg", (0.38, 0.5, 0.12, 0.28)),
    "stroma, cytokeratin": (FLAGSHIP + "Case001_Cytokeratin.jpg", (0.42, 0.58, 0.75, 0.9)),
    "tumour, Ki67": (FLAGSHIP + "Case001_Ki67.jpg", (0.4, 0.52, 0.12, 0.28)),
    "lung lesion, HE": (LUNG + "He-les1.jpg", (0.35, 0.65, 0.35, 0.6)),
    "lung lesion, CD31": (LUNG + "CD31-3-les1.jpg", (0.35, 0.65, 0.35, 0.6)),
    "colon stroma, IHC": ("", (0.645, 0.918, 0.3125, 0.469)),
    "colon epithelium, IHC": ("", (0.137, 0.352, 0.078, 0.254)),
}


def density_of(file: str, box: tuple[float, float, float, float]) -> Array:
    """Optical density of a crop over its image's white, float32 (y, x, 3)."""
    import skimage.data

    root = Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    pixels = (
        np.asarray(Image.open(root / "sections" / file).convert("RGB")) if file else skimage.data.immunohistochemistry()
    )
    white = np.percentile(pixels, 99, (0, 1))
    top, bottom, left, right = (round(part * n) for part, n in zip(box, np.repeat(pixels.shape[:2], 2), strict=True))
    return np.asarray(-np.log((pixels[top:bottom, left:right].astype(np.float32) + 1) / (white + 1)), np.float32)


def regions(rng: np.random.Generator, kinds: int) -> Array:
    """Planted kinds, uint8 (y, x), from 1; 0 is glass: cells around two random points a kind, with wavy borders."""
    y, x = np.meshgrid(*(np.arange(SIDE, dtype=np.float32),) * 2, indexing="ij")
    y, x = y + 25 * smooth(rng, 10), x + 25 * smooth(rng, 10)
    nearest, kind = np.full((SIDE, SIDE), np.inf, np.float32), np.zeros((SIDE, SIDE), np.uint8)
    for which in list(range(1, kinds + 1)) * 2:
        at = rng.uniform(0, SIDE, 2)
        far = (y - at[0]) ** 2 + (x - at[1]) ** 2
        kind, nearest = np.where(far < nearest, np.uint8(which), kind), np.minimum(far, nearest)
    edge = SIDE * 0.46 * (1 + 0.05 * smooth(rng, 6))
    kind[np.hypot(y - SIDE / 2, x - SIDE / 2) > edge] = 0
    return kind


def planted(draw: int, number: int, crops: list[Array]) -> tuple[Array, Array]:
    """Pixels uint8 (y, x, 3) of a slide, and its planted kinds."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng((draw, number))
    kinds = regions(rng, len(crops))
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    for kind, crop in enumerate(crops, 1):
        canvas += warped(crop, rng) * gaussian_filter((kinds == kind).astype(np.float32), 2)[..., None]
    stains = np.array(HED, np.float32)
    strength = rng.uniform(0.85, 1.15, 3).astype(np.float32)  # of haematoxylin, eosin and brown, a slide
    canvas = (canvas @ np.linalg.inv(stains) * strength) @ stains
    light = rng.uniform(225, 250) * rng.uniform(0.98, 1.02, 3)
    return np.clip(np.exp(-canvas) * light + rng.normal(0, 2, canvas.shape), 0, 255).astype(np.uint8), kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", type=int, action="append", help="default: all ten")
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for slides and results")
    given = parser.parse_args()
    for draw in given.draw or range(len(KINDS)):
        with tempfile.TemporaryDirectory() as scratch:
            one_draw(draw, (given.keep or Path(scratch)) / f"draw-{draw}", effort=given.effort, seed=given.seed)


def one_draw(draw: int, folder: Path, *, effort: float, seed: int) -> None:
    names = list(np.random.default_rng(draw).permutation(list(CROPS))[: KINDS[draw]])
    crops = [density_of(*CROPS[name]) for name in names]
    (folder / "slides").mkdir(parents=True)
    truth = {}
    for number in range(SLIDES):
        pixels, truth[f"planted-{number}"] = planted(draw, number, crops)
        write_demo_pyramid(folder / "slides" / f"planted-{number}.tif", pixels)
    settings = {"patch": 64, "stride": 32, "umap": False, "effort": effort, "seed": seed, "stains": "together"}
    run = cluster(folder / "slides", folder / "out", **settings)
    job = load(run.out)
    found = read_document(job.folder, VALIDITY, Validity)
    levels = clusters_document(job).finest
    tiles = tiles_of(relabel(run.out, k=min(len(names), levels)), truth)
    pure = tiles.kind >= 0
    nmi = normalized_mutual_info_score(tiles.kind[pure], tiles.cluster[pure])
    of_slide = normalized_mutual_info_score(tiles.slide[pure], tiles.cluster[pure])
    print(
        f"draw {draw}: {len(names)} kinds, recommended {found.k} ({found.method}, passing {list(found.passing)}, levels to "
        f"{levels}); NMI at K = {min(len(names), levels)} {nmi:.3f}, with the slide {of_slide:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
