"""The tissue mask on real slides with pen and coverslip edges, on pale stains, and on slides with nothing on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage.data import immunohistochemistry

from tile_engine.models.masks.even import even_tissue
from tile_engine.models.masks.ink import colourfulness, inks, optical_density
from tile_engine.models.masks.tissue import tissue_mask


def read(path: Path, side: int | None = None) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    if side:
        image = image.resize((side, side), Image.Resampling.BOX)
    return np.moveaxis(np.asarray(image), 2, 0)


def slide(colour: tuple[int, int, int] | None, glass: int = 243, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A disc of tissue 1.4 mm wide on glass, with the black border that some scanners leave; and the disc."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    disc = (y - 120) ** 2 + (x - 180) ** 2 < 90**2
    image = np.full((3, 240, 320), float(glass)) + draw.normal(0, 3, (3, 240, 320))
    if colour is not None:
        image[:, disc] = np.array(colour)[:, None] + draw.normal(0, 6, (3, disc.sum()))
    image[:, :, :30] = 3
    return image.clip(0, 255).astype(np.uint8), disc


@pytest.mark.parametrize(
    "colour", [(236, 222, 232), (225, 230, 240), (238, 230, 220), (170, 110, 160), (120, 75, 50), (90, 60, 130)]
)
def test_pale_and_strong_stains_are_found_and_the_rest_is_not(colour: tuple[int, int, int]) -> None:
    image, disc = slide(colour)
    mask = tissue_mask(image, 8.0)
    assert (mask & disc).sum() / (mask | disc).sum() > 0.95


@given(st.integers(180, 255), st.integers(0, 99))
@example(194, 0)
@settings(max_examples=15, deadline=None)
def test_a_blank_slide_has_no_tissue(glass: int, seed: int) -> None:
    assert not tissue_mask(slide(None, glass, seed)[0], 8.0).any()


@pytest.mark.parametrize("level", [0, 3, 255])
def test_an_even_image_has_no_tissue(level: int) -> None:
    assert not tissue_mask(np.full((3, 60, 80), level, np.uint8), 8.0).any()
    assert not tissue_mask(np.full((1, 60, 80), level, np.uint8), 8.0).any()


def test_a_shadowed_slide_has_no_tissue() -> None:
    shade = np.linspace(215, 245, 400) + np.random.default_rng(0).normal(0, 3, (3, 200, 400))
    shade += np.array([2, 0, -4])[:, None, None]
    assert not tissue_mask(shade.clip(0, 255).astype(np.uint8), 8.0).any()


@pytest.mark.parametrize("spacing", [4.0, 8.0, 16.0])
def test_sizes_are_physical(spacing: float) -> None:
    """The same speck, 100 µm wide, is dirt at every spacing; the same piece, 400 µm wide, is tissue."""
    cells = round(2400 / spacing)
    y, x = (np.mgrid[:cells, :cells] + 0.5) * spacing
    image = np.full((3, cells, cells), 243, np.uint8)
    speck, piece = (y - 600) ** 2 + (x - 600) ** 2 < 50**2, (y - 1600) ** 2 + (x - 1600) ** 2 < 200**2
    image[:, speck | piece] = np.array([[200], [120], [180]])
    mask = tissue_mask(image, spacing)
    assert not mask[speck].any()
    assert mask[piece].mean() > 0.9


def test_in_fluorescence_tissue_is_what_shines() -> None:
    draw = np.random.default_rng(0)
    _, disc = slide(None)
    image = draw.poisson(6, (1, *disc.shape)).astype(np.uint8)
    assert not tissue_mask(image, 8.0).any()
    image[0, disc] += draw.poisson(60, int(disc.sum())).astype(np.uint8)
    mask = tissue_mask(image, 8.0)
    assert (mask & disc).sum() / (mask | disc).sum() > 0.95


@pytest.mark.parametrize(("side", "spacing"), [(64, 8.0), (128, 4.0), (512, 1.0)])
def test_an_ihc_section_that_fills_the_view_is_kept(side: int, spacing: float) -> None:
    assert tissue_mask(ihc(side), spacing).mean() > 0.95


@pytest.mark.parametrize(
    ("name", "kept", "tissue"),
    [
        (
            "histoqc-models/coverslip_edge_he/coverslip_edge",
            0.25,
            (0.55, 0.65),
        ),  # the edge crosses fat, which is tissue
        ("histoqc-models/coverslip_edge_ihc/coverslip_edge", 0.05, (0.02, 0.15)),
        ("histoqc-models/pen_markings_he/pen_green", 0.05, (0.3, 0.4)),
        ("histoqc-pen/pen_green", 0.05, (0.2, 0.35)),
        ("histoqc-models/pen_markings_he/pen_red", 0.25, (0.4, 0.52)),
        ("histoqc-pen/pen_red", 0.25, (0.4, 0.52)),
        ("histoqc-pen/pen_black", 0.01, (0.0, 0.01)),
    ],
)
def test_pen_and_edges_of_coverslips_are_left_out(
    data: Path, name: str, kept: float, tissue: tuple[float, float]
) -> None:
    """`kept` bounds the share of the artefact that remains, `tissue` the share of the slide (pen lies over tissue too)."""
    folder = data / "bad" / "wsi"
    artefact = np.asarray(Image.open(folder / f"{name}_mask.png").convert("L")) > 0
    mask = tissue_mask(read(folder / f"{name}.png"), 8.0)
    assert mask[artefact].mean() < kept
    assert tissue[0] <= mask.mean() <= tissue[1]


def test_tiles_that_are_all_tissue_are_kept(data: Path) -> None:
    tiles = sorted((data / "wsi" / "colon-tiles-5class").glob("*/*.jpg"))[::10]
    assert np.mean([tissue_mask(read(tile, 28), 8.0).mean() > 0.5 for tile in tiles]) == 1.0


@pytest.mark.parametrize(
    "name", ["almost-white-1", "no-tissue", "no-tissue2", "no-tissue-line", "no-tissue-green-pen", "no-tissue-red-pen"]
)
def test_tiles_without_tissue_are_empty(data: Path, name: str) -> None:
    assert tissue_mask(read(data / "wsi" / "histolab-tiles" / f"{name}.png", 256), 4.0).mean() < 0.02


INKS = {
    "green": (40, 150, 110),
    "blue": (40, 60, 170),
    "red": (205, 30, 50),
    "black": (25, 25, 28),
    "purple": (110, 40, 140),
    "orange": (240, 130, 40),
    "brown": (120, 70, 40),
    "pink": (240, 90, 160),
    "yellow": (240, 225, 60),
}


def with_pen(ink: tuple[int, int, int], blur_um: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(overview of 8 µm, stroke, section): an IHC section of 1 mm on glass, and a wavy, uneven stroke of pen, 350 µm wide."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:400, :500]
    stroke = (np.abs(y - 90 - 40 * np.sin(x / 70)) < 22) & (x > 40) & (x < 460)
    cover = ndimage.gaussian_filter(stroke.astype(float), blur_um / 8)
    cover *= 1 - 0.25 * ndimage.gaussian_filter(draw.random(cover.shape), 12)
    image = 243 * (1 - cover) + np.array(ink)[:, None, None] * cover
    section = np.zeros(cover.shape, bool)
    section[220:348, 180:308] = True
    image[:, 220:348, 180:308] = ihc(128)
    return (image + draw.normal(0, 1.5, image.shape)).clip(0, 255).astype(np.uint8), stroke, section


def ihc(side: int) -> np.ndarray:
    section = Image.fromarray(immunohistochemistry()).resize((side, side), Image.Resampling.BOX)
    return np.moveaxis(np.asarray(section), 2, 0)


@pytest.mark.parametrize("blur_um", [12.0, 80.0])
@pytest.mark.parametrize("ink", INKS)
def test_pen_of_every_colour_is_left_out_in_and_out_of_focus(ink: str, blur_um: float) -> None:
    image, stroke, section = with_pen(INKS[ink], blur_um)
    mask = tissue_mask(image, 8.0)
    assert mask[stroke].mean() < 0.02
    assert mask[section].mean() > 0.95


def test_lumina_are_glass_and_fat_cells_are_tissue() -> None:
    """A round lumen 400 µm wide and a slit 150 µm wide are left out; fat cells of 100 µm, wall to wall, stay in."""
    draw = np.random.default_rng(0)
    image = np.tile(ihc(128), (1, 2, 2)).astype(float)
    y, x = np.mgrid[:256, :256] * 8.0
    lumen = (y - 500) ** 2 + (x - 500) ** 2 < 200**2
    slit = (np.abs(y - 1500) < 75) & (np.abs(x - 600) < 450)
    fat = (x > 1200) & (x < 1800) & (y > 300) & (y < 1500)
    cells = fat & (((y % 108) - 54) ** 2 + ((x % 108) - 54) ** 2 < 50**2)
    image[:, lumen | slit | cells] = 243
    mask = tissue_mask((image + draw.normal(0, 1.5, image.shape)).clip(0, 255).astype(np.uint8), 8.0)
    assert mask[lumen].mean() < 0.2 and mask[slit].mean() < 0.4
    assert mask[fat].mean() > 0.95
    assert mask[~(lumen | slit | fat)].mean() > 0.98


def test_a_few_pale_pixels_in_a_row_on_an_edge_are_no_stroke_of_pen() -> None:
    density = np.full((3, 60, 60), 0.01, np.float32)
    density[:, :, 30:] = np.array([0.3, 0.5, 0.3], np.float32)[:, None, None]
    rough = density[1] > 0.2
    rough[20:25, 30] = False
    _, strokes = even_tissue(density, rough, np.zeros_like(rough), 8.0)
    assert not strokes.any()


def test_dust_and_shadows_on_glass_are_left_out() -> None:
    draw = np.random.default_rng(0)
    image = np.full((400, 500), 243.0)
    for y, x, radius in draw.uniform((10, 10, 1), (390, 490, 6), (60, 3)):  # grains of up to 100 µm
        i, j = np.mgrid[:400, :500]
        image[(i - y) ** 2 + (j - x) ** 2 < radius**2] = draw.uniform(40, 200)
    image[:, 300:] *= 0.93  # the shadow of a coverslip
    picture = np.stack([image, image, image]) + draw.normal(0, 1.5, (3, 400, 500))
    assert tissue_mask(picture.clip(0, 255).astype(np.uint8), 8.0).mean() < 0.01


@pytest.mark.parametrize("strength", [0.15, 0.4, 1.0, 1.5])
def test_the_strength_of_a_stain_does_not_change_the_mask(strength: float) -> None:
    """The same section with its optical density scaled, on glass."""
    draw = np.random.default_rng(0)
    density = np.zeros((3, 240, 320))
    y, x = np.mgrid[:240, :320]
    disc = (y - 120) ** 2 + (x - 160) ** 2 < 90**2
    texture = -np.log((np.tile(ihc(128), (1, 2, 3))[:, :240, :320] + 1.0) / 256.0)
    density[:, disc] = texture[:, disc] * strength
    image = 243 * np.exp(-density) + draw.normal(0, 1.0, density.shape)
    mask = tissue_mask(image.clip(0, 255).astype(np.uint8), 8.0)
    assert (mask & disc).sum() / (mask | disc).sum() > 0.88


SECTIONS = {
    "lung lesion": ("birl/lesions_/scale-5pc/*.jpg", 3.48),
    "kidney": ("birl/rat-kidney_/scale-5pc/*.jpg", 5.06),
    "kidney, three stains": ("pyimsegm/histology_Flagship/Rat*.jpg", 3.68),
    "lung lesion, three stains": ("pyimsegm/histology_CIMA/*.jpg", 2.58),
}


@pytest.mark.parametrize("block", SECTIONS)
def test_sections_of_one_block_agree_whatever_their_stain(data: Path, block: str) -> None:
    pattern, spacing = SECTIONS[block]
    shares = []
    for path in sorted((data / "sections").glob(pattern)):
        section = Image.open(path).convert("RGB")
        section = section.resize([round(side * spacing / 8) for side in section.size], Image.Resampling.BOX)
        shares.append(tissue_mask(np.moveaxis(np.asarray(section), 2, 0), 8.0).mean())
    assert len(shares) > 1 and max(shares) - min(shares) < 0.05


@pytest.mark.gpu
def test_colours_are_the_same_on_a_gpu(data: Path) -> None:
    """But for pixels on a threshold: logarithms differ in their last digit."""
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("needs a CUDA device")
    image = read(data / "bad" / "wsi" / "histoqc-pen" / "pen_green.png").astype(np.float32)
    white = np.full(3, 240.0)
    here, there = optical_density(image, white), optical_density(cupy.asarray(image), cupy.asarray(white))
    np.testing.assert_allclose(cupy.asnumpy(there), here, rtol=1e-5, atol=1e-6)
    for a, b in zip((*colourfulness(there), *inks(there)), (*colourfulness(here), *inks(here)), strict=True):
        assert np.isclose(cupy.asnumpy(a).astype(float), b.astype(float), atol=1e-5).mean() > 0.9999


def test_density_is_what_glass_lacks() -> None:
    density = optical_density(np.array([[[240.0, 119.5]], [[240.0, 240.0]], [[240.0, 240.0]]]), np.full(3, 240.0))
    np.testing.assert_allclose(density[:, 0], [[0, np.log(2)], [0, 0], [0, 0]], atol=1e-12)
    colour, grey = colourfulness(density)
    np.testing.assert_allclose(colour[0], [0, np.log(2)])
    assert not grey.any()
    assert [part.ravel().tolist() for part in inks(density)[:1]] == [[False, True]]  # takes red alone: ink
