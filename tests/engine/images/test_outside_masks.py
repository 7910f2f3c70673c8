"""Which mask from outside belongs to which slide; slides without one; a run whose tissue is what the masks say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Mini
from PIL import Image

import tile_engine
from tile_engine import ClusterOptions, RunOptions
from tile_engine.engine.images.outside_masks import with_outside_masks, with_spare_masks
from tile_engine.engine.pipeline.record import ImageRecord, InspectedCohort, Rejection
from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.samplers import within
from tile_engine.engine.tiling.tile import Tiles
from tile_engine.errors import SettingsError
from tile_engine.stores.cells import LabelCells
from tile_engine.stores.slides.cohort import Cohort, SlideEntry


def cohort(root: Path, *names: str, **columns: str) -> InspectedCohort:
    """Slides of 80 x 60 pixels, with these names and columns."""
    slides = {
        name: ImageRecord(
            *(name, name, str(root / name), "f", None, "", ""),
            *(columns, "r", 0.5, (60, 80), 3, "uint8", 255, (60, 80), (0.5, 0.5)),
        )
        for name in names
    }
    return InspectedCohort(0.5, slides, {}, (), root)


def masks(folder: Path, *names: str, size: tuple[int, int] = (40, 30)) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 1).save(folder / name)
    return folder


def named(root: Path, *names: str, setting: str) -> Cohort:
    """The cohort of these slides before they are opened, with its warnings of masks."""
    entries = tuple(SlideEntry(name, root / name, name) for name in names)
    return with_spare_masks(Cohort(entries, (), root), names, setting)


@pytest.mark.parametrize(
    ("slide", "mask"),
    [
        ("a.svs", "a.png"),
        ("a.svs", "a.svs.png"),
        ("a.ome.tif", "a.tiff"),
        ("x/a.svs", "x/a.png"),
        ("x/a.svs", "a.png"),
    ],
)
def test_a_mask_has_the_name_of_its_slide(tmp_path: Path, slide: str, mask: str) -> None:
    found = with_outside_masks(cohort(tmp_path, slide), str(masks(tmp_path / "m", mask)))
    assert found.slides[slide].tissue_mask == str(tmp_path / "m" / mask) and not found.rejected
    assert found.slides[slide].key != cohort(tmp_path, slide).slides[slide].key


def test_a_file_that_is_named_itself_is_the_mask_of_the_only_slide(tmp_path: Path) -> None:
    mask = masks(tmp_path / "m", "other.png") / "other.png"
    found = with_outside_masks(cohort(tmp_path, "only.svs"), str(mask))
    assert found.slides["only.svs"].tissue_mask == str(mask) and not found.rejected


def test_slides_without_a_mask_are_rejected_and_spare_masks_are_told(tmp_path: Path) -> None:
    """A folder goes by names, also where it holds one mask and there is one slide."""
    found = with_outside_masks(cohort(tmp_path, "a.svs", "b.svs"), str(masks(tmp_path / "m", "a.png", "c.png")))
    assert list(found.slides) == ["a.svs"] and found.rejected["b.svs"].code == "E_NO_MASK"
    (told,) = named(tmp_path, "a.svs", "b.svs", setting=str(tmp_path / "m")).warnings
    assert told.startswith("--tissue-mask: c.png: no slide of this run has the name")
    single = with_outside_masks(cohort(tmp_path, "only.svs"), str(masks(tmp_path / "n", "zebra.png")))
    assert not single.slides and single.rejected["only.svs"].code == "E_NO_MASK"
    assert named(tmp_path, "only.svs", "x/zebra.tif", setting=str(tmp_path / "n")).warnings == ()


@pytest.mark.parametrize(
    ("slides", "names"),
    [(("a.svs", "b.svs"), ("a.png", "a.tif", "b.png")), (("x/a.svs", "y/a.svs"), ("a.png", "b.png"))],
)
def test_a_mask_that_may_be_of_another_slide_is_refused(
    tmp_path: Path, slides: tuple[str, ...], names: tuple[str, ...]
) -> None:
    found = with_outside_masks(cohort(tmp_path, *slides), str(masks(tmp_path / "m", *names)))
    assert found.rejected[slides[0]].code == "E_OTHER_MASK"


def test_a_mask_of_another_aspect_ratio_rejects_its_slide(tmp_path: Path) -> None:
    found = with_outside_masks(cohort(tmp_path, "a.svs"), str(masks(tmp_path / "m", "a.png", size=(30, 30))))
    assert not found.slides and found.rejected["a.svs"].code == "E_OTHER_MASK"


def test_one_file_is_no_mask_of_two_slides_and_a_place_exists(tmp_path: Path) -> None:
    """Not even where one of the two cannot be opened later: it may be that one's."""
    masks(tmp_path, "a.png")
    with pytest.raises(SettingsError, match="2 slides"):
        named(tmp_path, "a.svs", "b.svs", setting=str(tmp_path / "a.png"))
    with pytest.raises(SettingsError, match="no file or folder"):
        named(tmp_path, "a.svs", setting=str(tmp_path / "absent"))


def test_a_mask_is_not_that_of_the_slide_that_is_left_of_two_with_its_name(tmp_path: Path) -> None:
    opened = replace(
        cohort(tmp_path, "x/a.svs"), rejected={"other": Rejection("y/a.svs", "E_NO_MPP", "none is stated")}
    )
    found = with_outside_masks(opened, str(masks(tmp_path / "m", "a.png")))
    assert found.rejected["x/a.svs"].code == "E_OTHER_MASK"


def test_a_column_names_masks_and_rows_without_one_are_said(tmp_path: Path) -> None:
    masks(tmp_path, "m/any.png")
    both = cohort(tmp_path, "a.svs", tissue_mask="m/any.png").slides | cohort(tmp_path, "b.svs").slides
    found = with_outside_masks(InspectedCohort(0.5, both, {}, (), tmp_path), "")
    assert found.slides["a.svs"].tissue_mask.endswith("m/any.png")
    assert found.slides["b.svs"].notes == ("its row names no tissue_mask; its tissue mask is computed",)
    gone = with_outside_masks(cohort(tmp_path, "a.svs", tissue_mask="gone.png"), "")
    assert gone.rejected["a.svs"].code == "E_NO_MASK"


def test_the_share_of_tissue_that_a_tile_needs_is_a_setting() -> None:
    mask = Mask(np.arange(8)[None] < 4, (1.0, 1.0), (1, 8))
    tiles = Tiles(np.array([[0, 0], [0, 2], [0, 3], [0, 4]]), (1, 4), np.zeros((4, 2, 2), int), 0)
    assert [len(within(tiles, mask, share)) for share in (0.1, 0.5, 0.9)] == [3, 2, 1]


@pytest.mark.parametrize("pixels", ["all", "none"])
def test_the_tissue_of_a_run_is_what_its_masks_say(mini: Mini, tmp_path: Path, pixels: str) -> None:
    """The left half of every slide; a changed mask is refused without --redo, and taken with it."""
    slides = tmp_path / "slides"
    shutil.copytree(mini.slides, slides)
    (tmp_path / "m").mkdir()
    for path in slides.glob("*.tif"):
        width, height = Image.open(path).size
        left = {"type": "Polygon", "coordinates": [[[0, 0], [width / 2, 0], [width / 2, height], [0, height], [0, 0]]]}
        (tmp_path / "m" / f"{path.stem}.geojson").write_text(json.dumps(left))

    def convert(redo: bool = False) -> dict[str, np.ndarray]:
        options = RunOptions(cluster=ClusterOptions(cluster="none"), stages=("convert",), redo=redo)
        settings: dict[str, Any] = mini.settings | {"pixels": pixels, "tissue_mask": str(tmp_path / "m")}
        run = tile_engine.cluster(slides, tmp_path / "out", options=options, **settings)
        stored = [LabelCells.open(run.out / "slides" / f"{s}.ome.zarr" / "labels" / "tissue") for s in run.slides]
        return dict(zip(run.slides, (one.read_all() == 1 for one in stored), strict=True))

    for found in convert().values():
        half = found.shape[1] // 2
        assert found[:, : half - 1].all() and not found[:, half + 1 :].any()
    whole = {"type": "Polygon", "coordinates": [[[0, 0], [384, 0], [384, 384], [0, 384], [0, 0]]]}
    (tmp_path / "m" / "a.geojson").write_text(json.dumps(whole))
    with pytest.raises(SettingsError, match=r"slide with another tissue mask: a\.tif"):
        convert()
    shares = {slide: found.mean() for slide, found in convert(redo=True).items()}
    assert sorted(round(float(share), 1) for share in shares.values()) == [0.5, 0.5, 1.0]
