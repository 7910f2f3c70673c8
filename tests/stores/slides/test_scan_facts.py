"""What is said of a slide's scan: what its header states of the scanner, and nothing of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from tile_engine.engine.maintenance.describe import describe
from tile_engine.stores.slides.scan_facts import scan_facts


def test_an_aperio_header_states_the_scan_and_names_stay_in_the_file(data: Path) -> None:
    path = data / "wsi" / "CMU-1-Small-Region.svs"
    facts = dict(scan_facts(path))
    assert (facts["objective"], facts["scanner"], facts["scanned"]) == ("20x", "aperio", "12/29/09")
    told = describe(path).facts
    assert dict(told).items() >= facts.items()
    assert not any(secret in value for _, value in told for secret in ("CPAPERIOCS", "b414003d", "1004486"))


def test_make_model_date_and_profile_of_a_tiff(tmp_path: Path) -> None:
    pixels = np.zeros((512, 512, 3), np.uint8)
    tags = [(271, 2, None, "Maker", True), (272, 2, None, "Model 7", True), (315, 2, None, "DOE^JANE", True)]
    more = {"datetime": "2020:01:02 03:04:05", "iccprofile": b"x" * 200, "extratags": tags, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256), photometric="rgb", **more)
    assert scan_facts(tmp_path / "a.tif")[:2] == (("scanner", "Maker Model 7"), ("scanned", "2020:01:02 03:04:05"))
    assert scan_facts(tmp_path / "a.tif")[2] == ("icc", "embedded, not applied")
    assert "DOE" not in str(scan_facts(tmp_path / "a.tif"))
    (tmp_path / "b.tif").write_bytes(b"no slide")
    assert scan_facts(tmp_path / "b.tif") == scan_facts(tmp_path) == ()
