"""synthetic: drawn heads of people with wide or narrow ventricles, scanned at two sites: for demonstrations and tests.

```text
   .-------.     scalp       bright
  / .-----. \\    skull       dark
 | |  o o  | |   brain       grey matter around white matter, which site B shows with less contrast
  \\ '-----' /    ventricles  dark; wide in the class AD
   '-------'
```
They are no model of disease: what a network finds on them says that it works, and nothing about real brains.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from ..files import write_whole
from ..frame import Array

SIDE, SPACING_MM = 32, 5.0
SUBJECTS, SITES, CLASSES = 8, ("A", "B"), ("AD", "CN")
_RADII = {
    "scalp": (0.96, 0.80, 0.92),
    "skull": (0.90, 0.74, 0.86),
    "brain": (0.82, 0.66, 0.78),
    "white": (0.66, 0.50, 0.60),
}
"""Half axes (z, y, x) of what encloses the rest, as shares of half the image's side."""
NAMES = tuple(f"head-{subject + 1}-{site}.nii.gz" for subject in range(SUBJECTS) for site in SITES)


def make_heads(folder: Path, *, seed: int = 0) -> Path:
    """Write a head of every subject at every site, and `volumes.csv` beside the folder, which names their subjects, sites and
    classes; returns that list. The same seed gives the same bytes."""
    import nibabel

    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path,subject,site,label"]
    for number, name in enumerate(NAMES):
        subject, site = divmod(number, len(SITES))
        voxels = draw_head(subject, site, seed=seed)
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.diag([SPACING_MM] * 3 + [1.0]))
        write_whole(folder / name, gzip.compress(image.to_bytes(), mtime=0))
        rows.append(f"{folder.name}/{name},person-{subject + 1},{SITES[site]},{CLASSES[subject % len(CLASSES)]}")
    listed = folder.parent / "volumes.csv"
    write_whole(listed, ("\n".join(rows) + "\n").encode())
    return listed


def draw_head(subject: int, site: int, *, seed: int = 0) -> Array:
    """The head of a subject as a site scans it, int16 (z, y, x). Every second subject has wide ventricles.

    >>> head = draw_head(0, 0)
    >>> head.shape, head.dtype, bool(head[16, 16, 8] > head[0, 0, 0])
    ((32, 32, 32), dtype('int16'), True)
    """
    person, scan = np.random.default_rng((seed, subject)), np.random.default_rng((seed, subject, site, 1))
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, SIDE, dtype=np.float32),) * 3, indexing="ij")
    size = person.normal(1, 0.03, 3)
    inside = {name: _ellipsoid((z, y, x), np.array(radii) * size) for name, radii in _RADII.items()}
    wide = person.normal(1.0, 0.08) * (1.5 if subject % 2 == 0 else 1.0)
    side = 0.12 * size[2]
    ventricles = np.maximum(
        *(_ellipsoid((z - 0.05, y, x - sign * side), np.array([0.14, 0.26, 0.07]) * wide) for sign in (-1, 1))
    )
    head = 500 * inside["scalp"] - 400 * inside["skull"] + 450 * inside["brain"]
    head += (150, 90)[site] * inside["white"] - 400 * ventricles
    head = (1.0, 0.8)[site] * head * (1 + 0.1 * site * y)  # site B's coil is uneven
    noisy: Array = head + scan.normal(20, (8, 14)[site], head.shape)
    return noisy.clip(0, 32767).astype(np.int16)


def _ellipsoid(axes: tuple[Array, ...], radii: Array) -> Array:
    """1 inside of an ellipsoid, 0 outside, with an edge of about two voxels."""
    distance = np.sqrt(sum((axis / radius) ** 2 for axis, radius in zip(axes, radii, strict=True)))
    inside: Array = np.clip((1 - distance) * SIDE / 4 + 0.5, 0, 1)
    return inside


DEMO_SETTINGS: dict[str, object] = {
    "network": "onga",
    "shape": "32,32,32",
    "embedding_size": 8,
    "effort": 0.05,
    "cv": 2,
    "umap": False,
}
"""Settings of the demo's run: a small network and few steps."""
