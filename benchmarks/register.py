"""register: sections of two stains laid over each other, judged by landmarks and by known warps.

    python benchmarks/register.py landmarks     # pairs of real sections; also with reference and moving section exchanged
    python benchmarks/register.py turned        # the same after the moving section was turned, and turned over
    python benchmarks/register.py warps         # a real section under known warps, in its own stain and in another

Errors are distances in percent of the diagonal of the reference (rTRE), to whose frame the moving landmarks are brought.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from tile_engine.models.evaluation.landmarks import LandmarkErrors, affine_oracle, landmark_errors, pairs_errors
from tile_engine.models.registration.fit import FitSettings, register_pair
from tile_engine.models.registration.transform import PairFit, map_points
from tile_engine.models.stains.density import optical_density, pixels_of, transmitted
from tile_engine.stores.frame import Array, Frame
from tile_engine.stores.warps.warp import warp_of_pixels

DATA = Path(__file__).parent.parent / ".." / "shared" / "data"
CIMA = "cima-landmarks-all/lung-lesion_1/user-PS_scale-50pc/29-041-Izd2-w35-{}.csv"
CIMA_SCALE = 1200 / 8900
"""Pixels of the small pictures of this lesion for a pixel of its landmarks."""
HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])


@dataclass(frozen=True)
class Pair:
    name: str
    images: tuple[str, str]
    """Reference and moving section, below sections/."""
    landmarks: tuple[str, str]
    scale: float = 1.0
    judged: bool = True
    """Whether the pair belongs to the table of three; the others were used to choose."""


def beside(name: str, *images: str, judged: bool = True) -> Pair:
    first, second = (image.replace(".jpg", ".csv") for image in images)
    return Pair(name, (images[0], images[1]), (first, second), judged=judged)


def lesion(first: str, second: str, name: str) -> Pair:
    images = tuple(f"pyimsegm/histology_CIMA/29-041-Izd2-w35-{one}.jpg" for one in (first, second))
    return Pair(name, (images[0], images[1]), (CIMA.format(first), CIMA.format(second)), CIMA_SCALE, judged=False)


BIRL = "birl/images/artificial_"
KIDNEY, LESION = "birl/rat-kidney_/scale-5pc/Rat-Kidney_", "birl/lesions_/scale-5pc/Izd2-29-041-w35_"
PAIRS = (
    beside("rat kidney, HE / PanCytokeratin", f"{KIDNEY}HE.jpg", f"{KIDNEY}PanCytokeratin.jpg"),
    beside("lung lesion, HE / proSPC", f"{LESION}HE.jpg", f"{LESION}proSPC.jpg"),
    Pair(
        "lung lesion, HE (median filter) / CC10, 4,450 px",
        ("stain-registration-4450px/median_HE.jpg", "stain-registration-4450px/01-CC10.jpg"),
        ("stain-registration-4450px/01-HE.csv", "stain-registration-4450px/01-CC10.csv"),
    ),
    lesion("He-les1", "CD31-3-les1", "lung lesion, HE / CD31"),
    lesion("CD31-3-les1", "proSPC-4-les1", "lung lesion, CD31 / proSPC"),
)
DRAWN = tuple(
    Pair(f"artificial, {kind}", (f"{BIRL}reference.jpg", f"{BIRL}moving-{kind}.jpg"),
         ("birl/landmarks/artificial_reference.csv", f"birl/landmarks/artificial_moving-{kind}.csv"), judged=False)
    for kind in ("rigid", "affine", "elastic")
)  # fmt: skip


def picture(path: Path) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.asarray(Image.open(path).convert("RGB")), 2, 0))


def points(path: Path, scale: float) -> Array:
    """Landmarks as (n, 2), (y, x)."""
    with path.open(newline="") as file:
        rows = [(float(row["Y"]), float(row["X"])) for row in csv.DictReader(file)]
    return (np.array(rows) + 0.5) * scale - 0.5


def opened(pair: Pair, sections: Path, *, exchanged: bool) -> tuple[Array, Array, Array, Array]:
    """Reference, moving section and their landmarks."""
    images = [picture(sections / path) for path in pair.images]
    marks = [points(sections / path, pair.scale) for path in pair.landmarks]
    count = min(map(len, marks))
    order = (1, 0) if exchanged else (0, 1)
    first, second = (images[i] for i in order)
    here, there = (marks[i][:count] for i in order)
    return first, second, here, there


def unmap_points(fit: PairFit, points: Array) -> Array:
    """Points of the moving image (n, 2), (y, x) in pixels, as points of the reference."""
    pixels = Frame(("y", "x"), (1, 1), (1.0, 1.0), (-0.5, -0.5))  # centres of pixels at whole numbers
    values, stride, origin = (
        (fit.field.values, fit.field.stride, fit.field.origin) if fit.field else (None, 1.0, (0, 0))
    )
    warp = warp_of_pixels(fit.affine, values, stride=stride, origin=origin, reference=pixels, moving=pixels)
    return warp.to_reference(np.asarray(points, float).reshape(-1, 2))


def errors(fit: PairFit, here: Array, there: Array, shape: tuple[int, int]) -> LandmarkErrors:
    """Moving landmarks brought to the reference, against its own."""
    return landmark_errors(here, there, unmap_points(fit, there), shape)


HEAD = (
    "pair",
    "before",
    "oracle affine",
    "affine",
    "with field",
    "mean",
    "p90",
    "max",
    "robustness",
    "folding",
    "s",
    "stages",
)


def line(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def stages_of(fit: PairFit) -> str:
    return ", ".join(f"{stage.name} {'+' if stage.accepted else '-'}" for stage in fit.stages)


def judged(pair: Pair, sections: Path, settings: FitSettings, seed: int, *, exchanged: bool = False) -> LandmarkErrors:
    reference, moving, here, there = opened(pair, sections, exchanged=exchanged)
    began = time.perf_counter()
    fit = register_pair(reference, moving, spacing=None, settings=settings, seed=seed)
    seconds = time.perf_counter() - began
    shape = (reference.shape[1], reference.shape[2])
    found, plain = errors(fit, here, there, shape), errors(replace(fit, field=None), here, there, shape)
    oracle = landmark_errors(here, there, affine_oracle(there, here), shape)
    shares = (found.median_before, oracle.median, plain.median, found.median, found.mean, found.p90, found.largest)
    figures = [f"{100 * share:.3f}" for share in shares]
    name = pair.name + (", exchanged" if exchanged else "")
    line(name, *figures, f"{found.robustness:.3f}", f"{fit.folding:.0%}", f"{seconds:.1f}", stages_of(fit))
    for s in fit.stages:
        print(f"    {s.name}: {s.why} ({s.score_before:.3f} -> {s.score_after:.3f}, {s.seconds:.1f} s)")
    for note in fit.notes:
        print("   ", note)
    return found


def landmarks(sections: Path, settings: FitSettings, seed: int) -> None:
    line(*HEAD)
    line(*["---"] * len(HEAD))
    for exchanged in (False, True):
        every = [(pair, judged(pair, sections, settings, seed, exchanged=exchanged)) for pair in PAIRS]
        three = pairs_errors([found for pair, found in every if pair.judged])
        print(
            f"of {three.pairs} pairs: AMrTRE {three.average_median:.3%}, MMrTRE {three.median_median:.3%}, "
            f"ArTRE {three.average_mean:.3%}, largest {three.average_largest:.3%}, robustness {three.average_robustness:.3f}"
        )
    for pair in DRAWN:
        judged(pair, sections, settings, seed)


def turned(sections: Path, settings: FitSettings, seed: int) -> None:
    """Quarter turns lose no pixel, so that only the start is made harder; one angle between them is interpolated."""
    line("pair", "pose", "median", "robustness", "start: degrees", "turned over")
    line(*["---"] * 6)
    for pair in PAIRS:
        reference, moving, here, there = opened(pair, sections, exchanged=False)
        for quarters, flip, angle in ((1, False, 0.0), (2, True, 0.0), (3, True, 0.0), (0, False, 47.0)):
            image, marks = posed(moving, there, quarters, flip)
            if angle:
                image, marks = rotated(image, marks, angle)
            fit = register_pair(reference, image, spacing=None, settings=settings, seed=seed)
            found = errors(fit, here, marks, (reference.shape[1], reference.shape[2]))
            pose = f"{quarters} quarter turns, {'turned over, ' if flip else ''}{angle:.0f} degrees more"
            line(pair.name, pose, f"{found.median:.3%}", f"{found.robustness:.3f}", f"{fit.rotation:.0f}", fit.flip)


def posed(image: Array, marks: Array, quarters: int, flip: bool) -> tuple[Array, Array]:
    """The picture turned over along y, then turned by quarters, with its landmarks."""
    if flip:
        image, marks = image[:, :, ::-1], np.stack([marks[:, 0], image.shape[2] - 1 - marks[:, 1]], 1)
    for _ in range(quarters):
        image, marks = np.rot90(image, axes=(1, 2)), np.stack([image.shape[2] - 1 - marks[:, 1], marks[:, 0]], 1)
    return np.ascontiguousarray(image), marks


def rotated(image: Array, marks: Array, angle: float) -> tuple[Array, Array]:
    """The picture on a larger white canvas, turned about its middle."""
    side = int(np.hypot(*image.shape[1:])) + 1
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = np.array([[cos, sin], [-sin, cos]])
    middle, centre = np.full(2, (side - 1) / 2), (np.array(image.shape[1:]) - 1) / 2
    planes = [
        ndimage.affine_transform(plane, linear, centre - linear @ middle, (side, side), order=1, cval=245)
        for plane in image
    ]
    return np.stack(planes), (marks - centre) @ np.linalg.inv(linear).T + middle


def known_warps(image: Array, seed: int) -> Iterator[tuple[str, Array, Array]]:
    """(name, moving picture, where its pixels lie in the section (2, y, x))."""
    draw = np.random.default_rng(seed)
    shape = np.array(image.shape[1:])
    diagonal = float(np.hypot(*shape))
    for angle, scale, height in ((0.0, 1.0, 0.02), (12.0, 1.05, 0.01), (140.0, 0.93, 0.02), (-75.0, 1.0, 0.03)):
        coarse = [ndimage.gaussian_filter(draw.normal(size=(64, 64)), 8) for _ in range(2)]
        noise = np.stack([ndimage.zoom(plane, shape / 64, order=3) for plane in coarse])
        bend = height * diagonal * noise / np.abs(noise).max()
        cos, sin = np.cos(np.deg2rad(angle)) / scale, np.sin(np.deg2rad(angle)) / scale
        linear = np.array([[cos, sin], [-sin, cos]])
        centre = (shape - 1) / 2
        canvas = int(diagonal * max(scale, 1.0)) + 1 if angle else 0
        size = np.array([canvas, canvas]) if angle else shape
        grid = np.mgrid[: size[0], : size[1]].reshape(2, -1).astype(float)
        at = linear @ (grid - (size[:, None] - 1) / 2) + centre[:, None]
        bent = at + np.stack([ndimage.map_coordinates(plane, at, order=1, mode="nearest") for plane in bend])
        planes = [ndimage.map_coordinates(plane, bent, order=1, cval=245).reshape(size) for plane in image]
        yield f"{angle:.0f} degrees, scale {scale}, bent by {height:.0%}", np.stack(planes), bent.reshape(2, *size)


def other_stain(image: Array, seed: int) -> Array:
    """The picture with its three stains mixed at random: amounts by Ruifrok's vectors, other strengths, other vectors."""
    draw = np.random.default_rng(seed)
    vectors = HED / np.linalg.norm(HED, axis=1, keepdims=True)
    amounts = np.maximum(optical_density(pixels_of(image[None])) @ np.linalg.inv(vectors), 0)
    mix = np.diag(draw.uniform(0.5, 1.3, 3)) + draw.uniform(0, 0.4, (3, 3)) * (1 - np.eye(3))
    shifted = np.maximum(vectors + draw.normal(0, 0.12, (3, 3)), 0.02)
    density = amounts @ mix @ (shifted / np.linalg.norm(shifted, axis=1, keepdims=True))
    return transmitted(density).T.reshape(image.shape)


def warps(sections: Path, settings: FitSettings, seed: int) -> None:
    """The reference of each of the first two pairs under known warps; errors over its tissue."""
    line("section", "warp", "stain", "mean error", "largest", "there and back, px", "folding", "stages")
    line(*["---"] * 8)
    for pair in PAIRS[:2]:
        image = picture(sections / pair.images[0])
        dense = ndimage.gaussian_filter(image.mean(0), 3) < 215
        for number, (name, moving, read) in enumerate(known_warps(image, seed)):
            for stain in ("its own", "another"):
                shown = moving if stain == "its own" else other_stain(moving, seed + number)
                fit = register_pair(image, shown, spacing=None, settings=settings, seed=seed)
                ys, xs = (np.arange(5, side, 23) for side in read.shape[1:])
                there = np.stack(np.meshgrid(ys, xs, indexing="ij"), -1).reshape(-1, 2)
                here = read[:, there[:, 0], there[:, 1]].T
                held = ((here >= 0) & (here <= np.array(dense.shape) - 1)).all(1)
                held[held] &= dense[tuple(here[held].round().astype(int).T)]
                size = np.linalg.norm(unmap_points(fit, there[held]) - here[held], axis=1) / np.hypot(*dense.shape)
                back = np.abs(unmap_points(fit, map_points(fit, here[held])) - here[held]).max()
                figures = f"{size.mean():.3%}", f"{size.max():.3%}", f"{back:.4f}", f"{fit.folding:.0%}"
                line(pair.name.split(",")[0], name, stain, *figures, stages_of(fit))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("landmarks", "turned", "warps"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--side", type=int, default=FitSettings().side)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    parts = {"landmarks": landmarks, "turned": turned, "warps": warps}
    parts[given.part](given.data / "sections", FitSettings(side=given.side, threads=given.threads), given.seed)


if __name__ == "__main__":
    main()
