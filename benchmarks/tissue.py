"""tissue: the share of tissue that the mask finds on serial sections of one block in several stains.

    python benchmarks/tissue.py

Sections of one block hold nearly the same tissue, so their shares should agree within 10 points whatever the stain. Times are
those of the mask alone, on overviews of 8 µm.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tile_engine.models.masks.tissue import tissue_mask
from tile_engine.stores.frame import Array

DATA = Path(__file__).parent.parent / ".." / "shared" / "data"
SPACING = 8.0
BLOCKS = {
    "lung lesion (BIRL)": ("birl/lesions_/scale-5pc/*.jpg", 3.48),
    "lung lesion (CIMA)": ("pyimsegm/histology_CIMA/*.jpg", 2.58),
    "kidney (BIRL)": ("birl/rat-kidney_/scale-5pc/*.jpg", 5.06),
    "kidney (Flagship)": ("pyimsegm/histology_Flagship/Rat*.jpg", 3.68),
    "Case001 (Flagship)": ("pyimsegm/histology_Flagship/Case*.jpg", 8.0),
    "lung lesion, median-filtered": ("stain-registration-4450px/*.jpg", 0.69),
}
"""Block -> files below sections/, and their µm a pixel, from the known width of the originals (of Case001 a guess)."""


def overview(path: Path, spacing: float) -> Array:
    """The picture at 8 µm a pixel, uint8 (3, Y, X)."""
    picture = Image.open(path).convert("RGB")
    if spacing < SPACING:
        size = [round(side * spacing / SPACING) for side in picture.size]
        picture = picture.resize((size[0], size[1]), Image.Resampling.BOX)
    return np.moveaxis(np.asarray(picture), 2, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    sections = parser.parse_args().data / "sections"
    print("| block | tissue, % of each section | spread, points | ms a megapixel |\n| --- | --- | --- | --- |")
    for block, (pattern, spacing) in BLOCKS.items():
        shares, seconds, pixels = [], 0.0, 0
        for path in sorted(sections.glob(pattern)):
            picture = overview(path, spacing)
            start = time.process_time()
            shares.append(100 * float(tissue_mask(picture, SPACING).mean()))
            seconds, pixels = seconds + time.process_time() - start, pixels + picture[0].size
        each = ", ".join(f"{share:.1f}" for share in shares)
        print(f"| {block} | {each} | {max(shares) - min(shares):.1f} | {1e9 * seconds / pixels:.0f} |")


if __name__ == "__main__":
    main()
