"""The demo's slides: real pyramids that OpenSlide reads, the same every time, of known structure."""

import numpy as np
import pytest

from tile_engine.stores.slides import synthetic as demo


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    (path,) = demo.make_slides(tmp_path_factory.mktemp("demo"), seed=0, count=1)
    return path


def test_openslide_reads_a_pyramid_with_a_stated_spacing(slide):
    import openslide

    with openslide.OpenSlide(str(slide)) as opened:
        assert opened.properties["openslide.vendor"] == "generic-tiff"
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(demo.DEMO_SPACING)
        assert float(opened.properties["openslide.mpp-y"]) == pytest.approx(demo.DEMO_SPACING)
        assert opened.level_count >= 3
        assert 2000 <= max(opened.dimensions) <= 3000


def test_pages_are_tiled_jpeg_and_reduced_ones_are_marked(slide):
    import tifffile

    with tifffile.TiffFile(slide) as tiff:
        assert all(page.is_tiled and page.compression.name == "JPEG" for page in tiff.pages)
        assert [int(page.subfiletype) for page in tiff.pages] == [0] + [1] * (len(tiff.pages) - 1)
        assert not any("DateTime" in page.tags for page in tiff.pages)


def test_the_stain_and_the_regions_are_where_the_layout_says(slide):
    import tifffile

    plan = demo.layout(0, seed=0)
    pixels = tifffile.imread(slide, key=0).astype(float)
    assert pixels.shape[:2] == tuple(n * demo.PIXELS_PER_CELL for n in plan.regions.shape)
    cells = pixels.reshape(plan.regions.shape[0], 16, plan.regions.shape[1], 16, 3).mean(axis=(1, 3))
    brown = cells[..., 0] - cells[..., 2]
    means = {region: brown[plan.regions == region].mean() for region in range(4)}
    assert means[demo.SHEET] > means[demo.CRYPTS] > means[demo.STROMA]
    assert cells[plan.regions == demo.GLASS].mean() > 235
    assert cells[plan.regions == demo.STROMA].mean() < 225
    sheet = plan.regions == demo.SHEET
    strong, weak = (brown[sheet & side].mean() for side in (plan.strength > 0.9, plan.strength < 0.4))
    assert strong > 2 * weak


def test_a_layout_has_every_region_on_every_slide():
    for number in range(4):
        shares = np.bincount(demo.layout(number).regions.ravel(), minlength=4) / demo.layout(number).regions.size
        assert (shares > 0.04).all()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(slide, tmp_path):
    (again,) = demo.make_slides(tmp_path / "a", seed=0, count=1)
    assert again.read_bytes() == slide.read_bytes()
    assert not np.array_equal(demo.layout(0, seed=1).regions, demo.layout(0, seed=0).regions)
