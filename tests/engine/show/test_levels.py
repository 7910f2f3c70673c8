"""All levels on one page: pictures of numbers, a script under its hash, and a browser that moves the slider."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from tile_engine.engine.show.levels import LevelsView, level_map, plane_map
from tile_engine.engine.show.page import ReportPage, Section
from tile_engine.engine.show.patch_sheet import COLUMNS, SIDE, PatchSheet, sheet_picture
from tile_engine.engine.show.report import TEMPLATES, write_report

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
PARENTS = (0, 1, 1, 2, 3)
TILES = (40, 30, 20, 10, 0)
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9")


GREYS = np.arange(40, 240, 25, dtype=np.uint8)
"""Patch i of the sheet has this grey."""
SHEET = PatchSheet(
    sheet_picture(np.broadcast_to(GREYS[:, None, None, None], (8, 32, 32, 3))),
    SIDE,
    COLUMNS,
    central={"1@3": (0,), "2@2": (1,), "2@4": (2,)},
    random={1: ((3, 5),), 2: ((4, 9),), 4: ((5, 2),)},
    border={"2@2": ((6, 1), (7, 3)), "2@4": ((7, 4),)},
)


def pixels(source):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def view(**changes):
    numbers = np.repeat(np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3), 20, 0), 20, 1)
    names = ("one", "two", "three", EVIL, "five")
    values = {
        "parents": PARENTS,
        "labels": (1, 2, 3, 4, 5),
        "names": names,
        "colours": COLOURS,
        "into": {},
        "shown": 4,
        "recommended": 3,
        "reproducible": (3, 4),
        "maps": (level_map(EVIL, numbers, TILES, 1), level_map("b", numbers, (0, 0, 0, 0, 50), 1)),
        "plane": None,
        "patches": SHEET,
        "centres": ((0.0, 0.0), (3.0, 0.0), (0.0, 4.0), (3.0, 1.0), (0.0, 9.0)),
    }
    return LevelsView(**{**values, **changes})


def page(folder, levels):
    return write_report(folder / "report.html", ReportPage("t", sections=(Section("Maps"),), levels=levels))


def test_a_map_holds_the_numbers_themselves_and_leaves_cells_out_at_even_steps():
    regions = np.random.default_rng(0).integers(0, 33, (90, 100)).astype(np.uint8)
    numbers = regions.repeat(10, 0).repeat(10, 1)
    whole = level_map("a", numbers[:700, :800], (1, 2), 20)
    np.testing.assert_array_equal(pixels(whole.source), numbers[:700, :800])
    assert (whole.width, whole.height, whole.tiles) == (800, 700, (1, 2))
    half = level_map("a", numbers[:700, :800], (), 21)
    np.testing.assert_array_equal(pixels(half.source), numbers[1:700:2, 1:800:2])
    assert max(pixels(level_map("a", numbers, (), 1).source).shape) <= 800


def test_every_point_of_a_plane_is_drawn_with_its_number():
    places = np.array([[0.0, 0], [1, 0], [1, 1]])
    drawn = plane_map(places, np.array([1, 2, 3]), side=50)
    picture = pixels(drawn.source)
    assert picture.shape == (50, 50) and picture[48, 1] == 1 and picture[48, 48] == 2 and picture[1, 48] == 3
    assert plane_map(np.zeros((4, 2)), np.arange(1, 5)).source == plane_map(np.zeros((4, 2)), np.arange(1, 5)).source


def test_the_policy_admits_the_script_by_its_hash_and_nothing_else(tmp_path):
    text = page(tmp_path, view()).read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    assert script == (TEMPLATES / "levels.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("script-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json" id="level-data">', "<script>"]
    assert EVIL not in text and "onerror=alert" not in re.sub(r'<script type="application/json".*?</script>', "", text)
    data = json.loads(re.search(r'id="level-data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["names"][3] == EVIL and data["parents"] == list(PARENTS)


def test_a_page_without_levels_has_no_script(tmp_path):
    text = page(tmp_path, None).read_text("utf-8")
    assert "<script" not in text and "script-src" not in text


def browse(path, level, folder, *flags):
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    if browser is None:
        assert os.environ.get("CI", "").lower() != "true", "CI needs a chromium"
        pytest.skip("no chromium here")
    usual = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=900,1400",
    ]
    command = [browser, *usual, "--virtual-time-budget=5000", *flags, f"{path.as_uri()}#level={level}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False).stdout


@pytest.mark.parametrize(
    ("level", "shares", "verdict"),
    [
        (2, ["60.0 %", "40.0 %"], "not shown to be reproducible"),
        (3, ["40.0 %", "40.0 %", "20.0 %"], "recommended, reproducible"),
        (5, ["40.0 %", "30.0 %", "20.0 %", "10.0 %", "0.0 %"], "not shown to be reproducible"),
    ],
)
def test_the_slider_shows_the_shares_of_its_level(tmp_path, level, shares, verdict):
    text = browse(page(tmp_path, view(maps=view().maps[:1])), level, tmp_path, "--dump-dom")
    assert f'<output id="level-number" for="level">{level}</output>' in text
    assert re.search(r'id="level-verdict">([^<]*)<', text)[1] == verdict
    table = re.search(r'id="level-shares">(.*?)</table>', text, re.DOTALL)[1]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", table)][1:]
    assert [row[2] for row in rows] == shares == [row[7] for row in rows]
    central, random, border = rows[1][4:7]
    assert "canvas" in central and "canvas" in random and f'width="{132 if level < 4 else 64}"' in border
    names = [unescape(re.sub(r"<[^>]*>", "", row[0])) for row in rows]
    assert names == list(view().names[:level])


def test_maps_are_recoloured_and_merges_of_the_user_are_kept(tmp_path):
    """At level 3 the last two cells have the colours of their parents, 2 and 3; 3 is merged into 1."""
    path = page(tmp_path, view(into={3: 1, 5: 4}))
    browse(path, 3, tmp_path, f"--screenshot={tmp_path / 'shot.png'}")
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB")).reshape(-1, 3)
    count = {c: int((shot == tuple(bytes.fromhex(c[1:]))).all(1).sum()) for c in COLOURS}
    cell = count[COLOURS[1]] / 2
    assert cell > 2000 and count[COLOURS[0]] / cell == pytest.approx(3, rel=0.15)
    assert max(count[c] for c in COLOURS[2:]) < 0.15 * cell, "only the tree and the list have the others"


def test_nearest_clusters_patches_and_numbers_of_an_old_run_follow_the_level(tmp_path):
    """Cluster 2 of level 2 and 3 is 2 and 4 of the finest: its centre is their mean, 30 to 10; 12, not 4, is its number."""
    levels = view(maps=view().maps[:1], labels=(9, 12, 3, 4, 5))
    text = browse(page(tmp_path, levels), 3, tmp_path, "--dump-dom")
    table = re.search(r'id="level-shares">(.*?)</table>', text, re.DOTALL)[1]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", table)][1:]
    assert [unescape(re.sub(r"<[^>]*>", "", row[0])) for row in rows] == ["three", "one", "two"], "by number"
    assert [row[3] for row in rows] == ["one (4.0), two (4.8)", "two (3.0), three (4.0)", "one (3.0), three (4.8)"]
    assert re.findall(r'aria-label="([^"]*)"', table) == [
        f"{kind} patches of {name}" for name in ("one", "two") for kind in ("central", "random", "border")
    ][:2] + [f"{kind} patches of two" for kind in ("central", "random", "border")]
    assert re.findall(r"<text[^>]*>(\d+)</text>", text)[:2] == ["9", "12"]


def test_a_sheet_holds_each_patch_at_its_index():
    sheet = pixels(SHEET.source)
    assert sheet.shape == (SIDE, COLUMNS * SIDE, 3)
    drawn = sheet[SIDE // 2, SIDE // 2 :: SIDE].mean(1)
    np.testing.assert_allclose(drawn[: len(GREYS)], GREYS, atol=4)
    assert (drawn[len(GREYS) :] > 250).all()


def test_tiles_of_images_without_a_map_count_and_a_short_name_has_the_whole_as_its_title(tmp_path):
    levels = view(beyond=7, tiles_beyond=(150, 0, 0, 0, 0))
    levels = replace(levels, maps=(replace(levels.maps[0], short="…cut…"), levels.maps[1]))
    path = page(tmp_path, levels)
    assert "7 more images have no map here" in path.read_text("utf-8")
    text = browse(path, 5, tmp_path, "--dump-dom")
    table = re.search(r'id="level-shares">(.*?)</table>', text, re.DOTALL)[1]
    assert "190" in table and "63.3 %" in table  # 40 + 150 of 300 tiles
    assert unescape(re.search(r'<th title="([^"]*)">…cut…</th>', table)[1]) == EVIL
