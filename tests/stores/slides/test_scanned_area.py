"""Slides whose scanned area is smaller than the canvas: viewers count from its corner; and what OpenSlide says of others."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from tile_engine.errors import SlideError
from tile_engine.stores.slides.outside_mask import read_outside_mask
from tile_engine.stores.slides.reader import open_slide

NM = 500


def image(name: str, side: int, at: tuple[int, int], size: tuple[int, int], page: int, light: str) -> str:
    width, height, y, x = (n * NM for n in (*size[::-1], *at))
    settings = (
        f"<objectiveSettings><objective>{0.6 if name == 'macro' else 20}</objective></objectiveSettings><illuminationSettings>"
        f"<illuminationSource>{light}</illuminationSource></illuminationSettings>"
    )
    return (
        f'<image name="{name}" uuid="urn:uuid:{page}"><creationDate>2020-01-01T00:00:00Z</creationDate><device '
        f'model="Leica SCN400" version="1"/><pixels sizeX="{side}" sizeY="{side}"><dimension sizeX="{side}" sizeY="{side}" '
        f'r="0" ifd="{page}"/></pixels><view sizeX="{width}" sizeY="{height}" offsetX="{x}" offsetY="{y}" spacingZ="0"/>'
        f"<scanSettings>{settings}</scanSettings></image>"
    )


def scn(path: Path, light: str = "brightfield") -> Path:
    """A Leica slide of 256 x 256 pixels at (96, 64) of a canvas of 512 x 512."""
    whole, pixels = 512 * NM, np.random.default_rng(0).integers(100, 250, (256, 256, 3), np.uint8)
    words = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:8"><collection '
        f'name="c" uuid="urn:uuid:9" sizeX="{whole}" sizeY="{whole}"><barcode></barcode>'
        + image("macro", 128, (0, 0), (512, 512), 0, light)
        + image("scan", 256, (96, 64), (256, 256), 1, light)
        + "</collection></scn>"
    )
    options: dict[str, Any] = {"photometric": "rgb", "tile": (128, 128), "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        tif.write(np.full((128, 128, 3), 240, np.uint8), description=words, **options)
        tif.write(pixels, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
    return path


def test_the_corner_of_the_scanned_area_is_told(tmp_path: Path) -> None:
    with open_slide(scn(tmp_path / "a.scn")) as slide:
        assert slide.frames[0].shape == (512, 512) and slide.corner == (96, 64)


def test_fluorescence_that_openslide_cannot_read_misses_no_companion(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="no brightfield image") as failure:
        open_slide(scn(tmp_path / "a.scn", "fluorescence"))
    assert failure.value.code == "E_UNSUPPORTED_PIXELS"


def test_polygons_count_from_the_corner_and_outlines_come_back_from_there(tmp_path: Path) -> None:
    from tile_engine.engine.pipeline.record import ImageRecord
    from tile_engine.engine.runs.cluster.maps import polygons

    size = (512, 512)
    record = ImageRecord(
        *("a", "a.scn", "a.scn", "", None, "", "", {}, "openslide", 0.5, size, 3, "uint8", 255, size, (0.5, 0.5)),
        corner=(96, 64),
    )
    job: Any = SimpleNamespace(slides={"a": record}, settings=SimpleNamespace(step=32))
    shown: Any = SimpleNamespace(
        slides={"a": (1,)}, legend_of=lambda counts: [(1, "tissue", 1.0)], colour_of={1: (0, 0, 0)}
    )
    labels = np.zeros((16, 16), np.int32)
    labels[4:6, 3:5] = 1
    collection: Any = polygons(job, "a", labels, shown)
    corners = np.array(collection["features"][0]["geometry"]["coordinates"]).reshape(-1, 2)
    assert corners.min(0).tolist() == [3 * 32 - 64, 4 * 32 - 96] and corners.max(0).tolist() == [
        5 * 32 - 64,
        6 * 32 - 96,
    ]
    (tmp_path / "a.geojson").write_text(json.dumps(collection))
    mask = read_outside_mask(tmp_path / "a.geojson", record.native_shape, labels.shape, record.corner)
    np.testing.assert_array_equal(mask, labels == 1)


def test_what_was_not_scanned_is_white(tmp_path: Path) -> None:
    """openslide/openslide#140, girder/large_image#1814: transparent pixels are black by their numbers."""
    with open_slide(scn(tmp_path / "a.scn")) as slide:
        whole = slide.read(slide.frames[0].box)
    assert slide.background == 255
    outside = np.ones((512, 512), bool)
    outside[96:352, 64:320] = False
    assert (whole[:, outside] == 255).all() and (whole[:, ~outside] < 255).any()
